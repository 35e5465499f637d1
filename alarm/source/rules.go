package source

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"github.com/tocsin/tocsin/alarm"
)

var _ alarm.Source = (*Rules)(nil)

// A Kind says what evaluates the rules.
type Kind string

// The kinds of servers that Rules can ask.
const (
	VMAlert    Kind = "vmalert"
	Prometheus Kind = "prometheus"
)

// Rules asks servers that evaluate alerting rules what fires, through /api/v1/rules. Their answers
// also say which rules were evaluated, and so what the absence of an alert is worth.
type Rules struct {
	*puller
	naming naming

	turn     sync.Mutex // guards what follows
	memories []memory   // of each server
	blind    blindness
}

// NewRules returns a source that asks the servers at these URLs, such as http://vmalert:8880, which
// evaluate the same rules: the pair of one highly available system.
func NewRules(name string, kind Kind, urls []string, o PullOptions) (*Rules, error) {
	if kind != VMAlert && kind != Prometheus {
		return nil, fmt.Errorf("rules: the kind %q is neither %s nor %s", kind, VMAlert, Prometheus)
	}
	p, err := newPuller(name, urls, "activeAt", "source", o)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return &Rules{
		puller:   p,
		naming:   naming{grouped: kind == VMAlert, dropped: o.ReplicaLabels},
		memories: make([]memory, len(urls)),
	}, nil
}

// Blind returns ErrBlind if no server that answered the last question could evaluate any of its rules,
// twice in a row or from the first answer on. All that they fire is unknown then, which is no failure of
// Alerts. Before the first answer it returns ErrUnread, and else nil.
func (r *Rules) Blind() error {
	r.turn.Lock()
	defer r.turn.Unlock()
	return r.blind.err()
}

// Alerts asks all servers at once and returns their union. It fails if none of them answers well.
func (r *Rules) Alerts(ctx context.Context) (alarm.Snapshot, error) {
	readings := make([]reading, len(r.servers))
	errs, err := r.ask(ctx, func(ctx context.Context, n int, s *server) error {
		return s.ask(ctx, r.opts.Client, question{
			path:    "api/v1/rules",
			query:   url.Values{"type": {"alert"}},
			maxBody: r.opts.MaxBody,
			read: func(body io.Reader, at time.Time) error {
				rules, groups, err := s.decodeRules(newStream(body))
				if err != nil {
					return err
				}
				if groups == 0 && !r.opts.AllowEmpty {
					return ErrNoRules
				}
				for i := range rules {
					r.naming.judge(&rules[i], at)
				}
				readings[n].rules = rules
				return nil
			},
		})
	})
	if err != nil {
		return alarm.Snapshot{}, err
	}
	for n := range readings {
		readings[n].err = errs[n]
	}
	r.turn.Lock()
	defer r.turn.Unlock()
	r.blind = r.blind.next(readings)
	u := r.naming.unite(readings, r.memories)
	r.tell(u.unknown, u.invalid)
	return u.snapshot, nil
}
