package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/failpoint"
)

// An Engine takes in what was pushed.
type Engine interface {
	// Submit returns after the input is committed, or with an error and nothing kept.
	Submit(ctx context.Context, in alarm.Input) error
}

// PushOptions configures a Push. The zero value works.
type PushOptions struct {
	// ResolveTimeout is asked at each body how long an alert lasts whose end was not given, since a
	// reload may change it. Nil, and a result that is not positive, mean the default. Defaults to 5 m.
	ResolveTimeout func() time.Duration

	// MaxLabels bounds how many labels an alert has, and how many annotations. Defaults to 256.
	MaxLabels int

	// MaxLabelBytes bounds the names and values of an alert's labels together, in bytes. Defaults to
	// 64 KiB.
	MaxLabelBytes int

	// MaxAlertBytes bounds the labels, annotations and generator URL of an alert together, in bytes.
	// Defaults to 1 MiB.
	MaxAlertBytes int

	// MaxCached bounds how many alerts the cache holds; less than twice as many are kept. It holds
	// references to what the engine has as well, so a large one costs little. Defaults to 250,000.
	MaxCached int

	// Registerer collects the package's metrics. Nil registers none.
	Registerer prometheus.Registerer
}

// Push receives alerts that senders push, in the form of Alertmanager's API v2.
type Push struct {
	name           string
	engine         Engine
	resolveTimeout func() time.Duration
	decoder        *decoder
	metrics        *metrics
}

// NewPush returns a Push whose snapshots carry name as their source.
func NewPush(name string, engine Engine, o PushOptions) (*Push, error) {
	if name == "" {
		return nil, errors.New("push: a source needs a name")
	}
	if engine == nil {
		return nil, errors.New("push: an engine is needed")
	}
	for _, limit := range []int{o.MaxLabels, o.MaxLabelBytes, o.MaxAlertBytes, o.MaxCached} {
		if limit < 0 {
			return nil, fmt.Errorf("push: a limit of %d is less than nothing", limit)
		}
	}
	otherwise := defaultLimits()
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("push: register metrics: %w", err)
	}
	return &Push{
		name:           name,
		engine:         engine,
		resolveTimeout: o.ResolveTimeout,
		metrics:        m,
		decoder: newDecoder(limits{
			labels:     orDefault(o.MaxLabels, otherwise.labels),
			labelBytes: orDefault(o.MaxLabelBytes, otherwise.labelBytes),
			alertBytes: orDefault(o.MaxAlertBytes, otherwise.alertBytes),
		}, orDefault(o.MaxCached, 250_000)),
	}, nil
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// Receive takes in one body, a JSON array of alerts that arrived at now, and returns when the valid
// ones are committed. It does not keep body.
func (p *Push) Receive(ctx context.Context, now time.Time, body []byte) error {
	failpoint.Here("push-received")
	batch, err := p.decoder.decode(now, body)
	failpoint.Here("push-decoded")
	p.metrics.decoded(batch)
	if err != nil {
		return err
	}

	now = now.UTC()
	resolveTimeout := p.timeout()
	valid := batch.alerts[:0]
	var invalid InvalidError
	for i := range batch.alerts {
		a := &batch.alerts[i]
		fill(a, now, resolveTimeout)
		p.metrics.received(a, now)
		if err := batch.check(i); err != nil {
			invalid.add(err)
			p.metrics.invalid.Inc()
			continue
		}
		valid = append(valid, *a)
	}

	if len(valid) > 0 {
		in := alarm.Input{Snapshots: []alarm.Snapshot{{Source: p.name, At: now, Partial: true, Alerts: valid}}}
		failpoint.Here("push-checked")
		if err := p.engine.Submit(ctx, in); err != nil {
			return fmt.Errorf("submit %d alerts: %w", len(valid), err)
		}
	}
	failpoint.Here("push-committed")
	if invalid.Count > 0 {
		return &invalid
	}
	return nil
}

func (p *Push) timeout() time.Duration {
	if p.resolveTimeout != nil {
		if d := p.resolveTimeout(); d > 0 {
			return d
		}
	}
	return 5 * time.Minute
}

// fill sets the times that the sender left open, by Alertmanager's rules.
func fill(a *alarm.Alert, now time.Time, resolveTimeout time.Duration) {
	a.UpdatedAt = now
	if a.StartsAt.IsZero() {
		a.StartsAt = now
		if !a.EndsAt.IsZero() {
			a.StartsAt = a.EndsAt
		}
	}
	if a.EndsAt.IsZero() {
		a.Timeout = true
		a.EndsAt = now.Add(resolveTimeout)
	}
}
