package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tocsin/tocsin/alarm"
)

// Alerts are most of what there is to load. One goroutine takes their rows from the database while some
// others decode them.
const (
	loadChunk   = 256 // rows that are decoded at a time
	loadWorkers = 4   // at most: each keeps the strings apart that it has read
)

// A chunk is some rows of alerts.
type chunk struct {
	n            int    // of the first row
	bodies       []byte // one after the other
	ends         []int  // of each body
	fingerprints []int64
	alerts       []*alarm.Alert // once decoded
}

func (c *chunk) add(fp int64, body []byte) {
	c.bodies = append(c.bodies, body...)
	c.ends = append(c.ends, len(c.bodies))
	c.fingerprints = append(c.fingerprints, fp)
}

// reset makes room for other rows, from the n-th on.
func (c *chunk) reset(n int) {
	*c = chunk{n: n, bodies: c.bodies[:0], ends: c.ends[:0], fingerprints: c.fingerprints[:0]}
}

// decode makes alerts of the rows.
func (c *chunk) decode(d *DB, r *reader) error {
	start := 0
	for i, end := range c.ends {
		a := new(alarm.Alert)
		err := decode(r, c.bodies[start:end], func(r *reader) { r.alert(a) })
		start = end
		if err == nil {
			if *a = a.WithFingerprint(); a.Fingerprint() != fingerprint(c.fingerprints[i]) {
				err = fmt.Errorf("fingerprint %s belongs to other labels", fingerprint(c.fingerprints[i]))
			}
		}
		if err != nil {
			return d.corrupt(fmt.Sprintf("table alerts, row %d", c.n+i), err)
		}
		c.alerts = append(c.alerts, a)
	}
	return nil
}

// alerts shares no strings with the other tables: each of those who decode has its own.
func (l *loader) alerts(ctx context.Context, s *alarm.Stored) error {
	workers := min(loadWorkers, runtime.GOMAXPROCS(0))
	full, empty := make(chan *chunk, workers), make(chan *chunk, 2*workers)
	for range cap(empty) {
		empty <- &chunk{}
	}
	decoded := make([][]*alarm.Alert, workers)
	work, working := errgroup.WithContext(ctx)
	for i := range workers {
		work.Go(func() error {
			r := &reader{known: map[string]string{}}
			for c := range full {
				if err := c.decode(l.d, r); err != nil {
					return err
				}
				decoded[i] = append(decoded[i], c.alerts...)
				empty <- c
			}
			return nil
		})
	}
	work.Go(func() error {
		defer close(full)
		return l.readAlerts(ctx, working, full, empty)
	})
	err := work.Wait()
	s.Alerts = slices.Concat(decoded...)
	slices.SortFunc(s.Alerts, func(a, b *alarm.Alert) int { return cmp.Compare(a.Fingerprint(), b.Fingerprint()) })
	return err
}

// readAlerts hands rows out in chunks, and stops when working ends: somebody could not decode one.
func (l *loader) readAlerts(ctx, working context.Context, full chan<- *chunk, empty <-chan *chunk) error {
	var c *chunk
	send := func() {
		select {
		case full <- c:
		case <-working.Done():
		}
	}
	n, fp := 0, int64(0)
	err := l.each(ctx, "alerts", "fingerprint, body", func(body []byte) error {
		if c == nil || len(c.ends) == loadChunk {
			if c != nil {
				send()
			}
			select {
			case c = <-empty:
				c.reset(n + 1)
			case <-working.Done():
				return working.Err()
			}
		}
		n++
		c.add(fp, body)
		return nil
	}, &fp)
	if c != nil && err == nil {
		send()
	}
	return err
}
