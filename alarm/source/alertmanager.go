package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

var _ alarm.Source = (*Alertmanager)(nil)

// Alertmanager asks Alertmanagers what is active, through their API v2. Alerts that they silence or
// inhibit are active, too: what is withheld here is decided here.
type Alertmanager struct {
	*puller
}

// NewAlertmanager returns a source that asks the servers at these URLs, such as
// http://alertmanager:9093: the members of one cluster.
func NewAlertmanager(name string, urls []string, o PullOptions) (*Alertmanager, error) {
	p, err := newPuller(name, urls, "startsAt", "generatorURL", o)
	if err != nil {
		return nil, fmt.Errorf("alertmanager: %w", err)
	}
	return &Alertmanager{p}, nil
}

// A roster is what one Alertmanager answered.
type roster struct {
	alerts  []listed
	useless []*alarm.Alert // not valid; nil if not even their labels can be told
	young   bool           // it started a short while ago
}

// Alerts asks all servers at once and returns their union. It fails if none of them answers well.
func (m *Alertmanager) Alerts(ctx context.Context) (alarm.Snapshot, error) {
	rosters := make([]roster, len(m.servers))
	errs, err := m.ask(ctx, func(ctx context.Context, n int, s *server) error {
		err := s.ask(ctx, m.opts.Client, question{
			path: "api/v2/alerts", maxBody: m.opts.MaxBody,
			read: func(body io.Reader, _ time.Time) (err error) {
				rosters[n], err = s.decodeAlerts(newStream(body))
				return err
			},
		})
		if err != nil {
			return err
		}
		// Afterwards: if it is restarted in between, the list is that of the old one.
		return s.ask(ctx, m.opts.Client, question{
			path: "api/v2/status", maxBody: m.opts.MaxBody,
			read: func(body io.Reader, at time.Time) error {
				started, err := decodeUptime(body)
				rosters[n].young = !started.IsZero() && at.Sub(started) < m.opts.Settle
				return err
			},
		})
	})
	if err != nil {
		return alarm.Snapshot{}, err
	}
	var good []roster
	for n, err := range errs {
		if err == nil {
			good = append(good, rosters[n])
		}
	}
	snapshot, unknown, invalid := muster(good)
	m.tell(unknown, invalid)
	return snapshot, nil
}

// muster puts the answers of a cluster together: an alert is active if any server lists it. If all of
// them are young, what they do not list is unknown.
func muster(rosters []roster) (s alarm.Snapshot, unknown map[string]string, invalid int) {
	places, all := map[model.Fingerprint]int{}, true
	unknown = map[string]string{}
	for i := range rosters {
		r := &rosters[i]
		all = all && r.young
		for j := range r.alerts {
			a := &r.alerts[j]
			fp := a.who.Fingerprint()
			place, there := places[fp]
			if !there {
				places[fp] = len(s.Alerts)
				s.Alerts = append(s.Alerts, a.alert(alarm.Firing, a.since))
			} else if old := &s.Alerts[place]; a.since.Before(old.StartsAt) {
				old.StartsAt = a.since
			}
		}
		invalid += len(r.useless)
		for _, a := range r.useless {
			if a != nil && len(a.Labels) > 0 {
				s.Unknowns = append(s.Unknowns, matcher.FromLabels(a.Labels))
			}
		}
	}
	if all {
		s.Unknowns = append(s.Unknowns, matcher.Matchers{})
		unknown["all alerts"] = "the server started a short while ago and may not have heard of them"
	}
	slices.SortFunc(s.Alerts, func(a, b alarm.Alert) int { return cmp.Compare(a.Fingerprint(), b.Fingerprint()) })
	return s, unknown, invalid
}

// decodeAlerts reads an answer to /api/v2/alerts.
func (l *listing) decodeAlerts(s *stream) (roster, error) {
	var r roster
	if c, err := s.peek(); err != nil {
		return r, err
	} else if c != '[' {
		return r, unexpected(c)
	}
	err := s.array(func() error {
		raw, err := s.value()
		if err != nil {
			return err
		}
		a, err := l.read(raw)
		switch {
		case errors.Is(err, errShape):
			return err
		case err != nil:
			r.useless = append(r.useless, a.who)
		default:
			r.alerts = append(r.alerts, a)
		}
		return nil
	})
	if err == nil {
		err = s.finish()
	}
	return r, err
}

// decodeUptime reads from an answer to /api/v2/status since when the server is up.
func decodeUptime(body io.Reader) (time.Time, error) {
	s := newStream(body)
	var uptime string
	err := s.object(func(field string) error {
		if field == "uptime" {
			return s.into(&uptime)
		}
		return s.skip()
	})
	if err == nil {
		err = s.finish()
	}
	if err != nil || uptime == "" {
		return time.Time{}, err
	}
	return parseTime(uptime)
}
