package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	batchSize   = 64
	connections = 4
	clusters    = 50
	groups      = 1000
)

// config is what both servers are given.
func config(interval time.Duration, sink string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `route: {receiver: r, group_by: [service], group_wait: 1s, group_interval: %s, repeat_interval: 4h}
receivers: [{name: r, webhook_configs: [{url: '%s', max_alerts: 1}]}]
inhibit_rules:
`, interval, sink)
	for i := range 50 {
		fmt.Fprintf(&b, "- {source_matchers: ['alertname=\"Cause%d\"'], target_matchers: ['alertname=\"Impact%d\"'], equal: [cluster]}\n", i, i)
	}
	return b.String()
}

// newSink is a webhook that accepts everything.
func newSink() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the sender went away
	}))
}

// batches are the bodies of the alerts from one number to another. Round is told apart by the end,
// as senders do that repeat their alerts.
func batches(from, to, round int) [][]byte {
	ends := time.Now().Add(time.Hour + time.Duration(round)*time.Second).UTC().Format(time.RFC3339Nano)
	var all [][]byte
	for ; from < to; from += batchSize {
		var b bytes.Buffer
		b.WriteByte('[')
		for j := from; j < min(from+batchSize, to); j++ {
			if j > from {
				b.WriteByte(',')
			}
			writeAlert(&b, j, ends)
		}
		b.WriteByte(']')
		all = append(all, b.Bytes())
	}
	return all
}

func writeAlert(b *bytes.Buffer, j int, ends string) {
	fmt.Fprintf(b, `{"labels":{"alertname":"HighRequestLatency%03d","cluster":"cluster-%02d","namespace":"production-%02d","service":"service-%04d","pod":"service-%04d-7d4b9c6f5d-%05d","instance":"10.0.%d.%d:9100","job":"kubernetes-pods","severity":"warning","team":"team-%02d","region":"eu-central-1"},`,
		j%200, j%clusters, j%20, j%groups, j%groups, j, j/250%250, j%250, j%30)
	fmt.Fprintf(b, `"annotations":{"summary":"High request latency on service-%04d","description":"The 99th percentile of request latency has been above 500ms for more than ten minutes on this instance.","runbook_url":"https://runbooks.example.com/high-request-latency"},`,
		j%groups)
	fmt.Fprintf(b, `"startsAt":"2026-11-21T07:41:50Z","endsAt":"%s","generatorURL":"http://vmalert:8880/vmalert/alert?group_id=14550520989585825537&alert_id=%d"}`,
		ends, j)
}

// push posts the bodies as fast as they are accepted and returns the CPU time that it took.
func (s *server) push(ctx context.Context, bodies [][]byte) (time.Duration, error) {
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	work := make(chan []byte)
	senders, ctx := errgroup.WithContext(ctx)
	for range connections {
		senders.Go(func() error {
			for body := range work {
				if err := s.post(ctx, body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	senders.Go(func() error {
		defer close(work)
		for _, body := range bodies {
			select {
			case work <- body:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	if err := senders.Wait(); err != nil {
		return 0, err
	}
	after, err := s.cpu()
	return after - before, err
}

// A latency says how long POSTs took, from when they were due until the answer.
type latency struct {
	p50, p99 time.Duration
	answered float64 // the part of what was due that was answered in time
}

// pace posts the bodies at even distances, so that all take so long, and measures from when each was
// due: a server that does not keep up is not excused.
func (s *server) pace(ctx context.Context, bodies [][]byte, within time.Duration) (latency, error) {
	took := make([]time.Duration, len(bodies))
	began := time.Now()
	step := within / time.Duration(len(bodies))
	end, cancel := context.WithDeadline(ctx, began.Add(within+within/2))
	defer cancel()
	var senders errgroup.Group
	for c := range connections {
		senders.Go(func() error {
			for i := c; i < len(bodies); i += connections {
				due := began.Add(time.Duration(i) * step)
				if err := sleep(end, time.Until(due)); err != nil {
					break
				}
				if err := s.post(end, bodies[i]); err != nil {
					if end.Err() != nil {
						break
					}
					return err
				}
				took[i] = time.Since(due)
			}
			return ctx.Err()
		})
	}
	if err := senders.Wait(); err != nil {
		return latency{}, err
	}
	answered := 0
	for i := range took {
		if took[i] > 0 {
			answered++
			continue
		}
		took[i] = time.Since(began.Add(time.Duration(i) * step)) // at least
	}
	slices.Sort(took)
	return latency{
		p50: took[len(took)/2], p99: took[len(took)*99/100], answered: float64(answered) / float64(len(took)),
	}, nil
}

// read gets a path again and again and returns the CPU time of one answer, which must name so many
// alerts.
func (s *server) read(ctx context.Context, path string, alerts int) (time.Duration, error) {
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	profiled := make(chan error, 1)
	go func() {
		profiled <- s.profile(ctx, "/debug/pprof/profile?seconds=2", fmt.Sprintf("cpu %s %d", url.PathEscape(path), alerts))
	}()
	began, n := time.Now(), 0
	for ; n < 2 || time.Since(began) < 2*time.Second; n++ {
		var c counter
		if err := s.get(ctx, path, &c); err != nil {
			return 0, err
		}
		if c.found != alerts {
			return 0, fmt.Errorf("GET %s: %d alerts instead of %d", path, c.found, alerts)
		}
	}
	after, err := s.cpu()
	return (after - before) / time.Duration(n), errors.Join(err, <-profiled)
}

// A counter counts the alerts of an answer.
type counter struct {
	found int
	rest  []byte // the end of what came before, where a mark may begin
}

// Write counts.
func (c *counter) Write(b []byte) (int, error) {
	mark := []byte(`"fingerprint":"`)
	joint := append(c.rest, b[:min(len(b), len(mark)-1)]...)
	c.found += bytes.Count(joint, mark) + bytes.Count(b, mark)
	if n := len(mark) - 1; len(b) >= n {
		c.rest = append(c.rest[:0], b[len(b)-n:]...)
	} else {
		c.rest = append(c.rest[:0], joint[max(0, len(joint)-n):]...)
	}
	return len(b), nil
}
