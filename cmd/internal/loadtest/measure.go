package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
)

// A figure is one measured number.
type figure struct {
	row   string
	unit  string
	value float64
}

// figures are what was measured of one server, in the order of the table.
type figures struct {
	name string
	all  []figure
}

func (f *figures) add(row, unit string, value float64) {
	f.all = append(f.all, figure{row, unit, value})
	fmt.Fprintf(os.Stderr, "%s: %s: %.3g %s\n", f.name, row, value, unit)
}

// measure runs one server twice: with groups that are seldom told, for reads and memory, and with
// groups that are told every five seconds, under a steady load.
func measure(ctx context.Context, p program, dir, sink string, o options) (figures, error) {
	f := figures{name: p.name}
	for _, part := range []func(context.Context, *server, options, *figures) error{measureReads, measureSteady} {
		interval := 5 * time.Minute
		if len(f.all) > 0 {
			interval = 5 * time.Second
		}
		s, err := start(ctx, p, dir, config(interval, sink))
		if err != nil {
			return f, err
		}
		err = part(ctx, s, o, &f)
		s.stop()
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

func perMillion(cpu time.Duration, alerts int) float64 { return cpu.Seconds() * 1e6 / float64(alerts) }

func measureReads(ctx context.Context, s *server, o options, f *figures) error {
	empty, err := s.rss()
	if err != nil {
		return err
	}
	first, err := s.push(ctx, batches(0, o.few, 0))
	if err != nil {
		return err
	}
	if err := s.reads(ctx, o.few, f); err != nil {
		return err
	}
	second, err := s.push(ctx, batches(o.few, o.alerts, 0))
	if err != nil {
		return err
	}
	f.add("push new, group_interval 5m", "CPU-s/million", perMillion(first+second, o.alerts))
	again, err := s.push(ctx, batches(0, o.alerts, 1))
	if err != nil {
		return err
	}
	f.add("push the same again", "CPU-s/million", perMillion(again, o.alerts))
	if err := s.memory(ctx, "before reads", empty, o.alerts, f); err != nil {
		return err
	}
	if err := s.reads(ctx, o.alerts, f); err != nil {
		return err
	}
	filtered, err := s.read(ctx, "/api/v2/alerts?filter=cluster%3D%22cluster-07%22", (o.alerts+clusters-8)/clusters)
	if err != nil {
		return err
	}
	f.add(fmt.Sprintf("GET alerts of 1 of %d clusters, %d", clusters, o.alerts), "CPU-ms", ms(filtered))
	return s.memory(ctx, "after reads", empty, o.alerts, f)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// reads measures what makes a page.
func (s *server) reads(ctx context.Context, alerts int, f *figures) error {
	for _, what := range []string{"alerts", "alerts/groups"} {
		took, err := s.read(ctx, "/api/v2/"+what, alerts)
		if err != nil {
			return err
		}
		f.add(fmt.Sprintf("GET %s, %d", what, alerts), "CPU-ms", ms(took))
	}
	return nil
}

// memory measures what an active alert costs: as the process stands, and with its garbage collected.
func (s *server) memory(ctx context.Context, when string, empty float64, alerts int, f *figures) error {
	now, err := s.rss()
	if err != nil {
		return err
	}
	f.add("memory per alert, "+when, "KB", (now-empty)/1000/float64(alerts))
	if now, err = s.collected(ctx); err != nil {
		return err
	}
	f.add("memory per alert, "+when+", collected", "KB", (now-empty)/1000/float64(alerts))
	return s.profile(ctx, "/debug/pprof/heap", "heap "+when)
}

// measureSteady repeats each alert once a minute, as vmalert does.
func measureSteady(ctx context.Context, s *server, o options, f *figures) error {
	profiled := make(chan error, 1)
	go func() { profiled <- s.profile(ctx, "/debug/pprof/profile?seconds=5", "cpu push") }()
	used, err := s.push(ctx, batches(0, o.alerts, 0))
	if err = errors.Join(err, <-profiled); err != nil {
		return err
	}
	f.add("push new, group_interval 5s", "CPU-s/million", perMillion(used, o.alerts))
	n := int(float64(o.alerts) * o.steady.Minutes())
	l, err := s.pace(ctx, batches(0, max(n, batchSize), 1), o.steady)
	if err != nil {
		return err
	}
	f.add("POST p50, group_interval 5s", "ms", ms(l.p50))
	f.add("POST p99, group_interval 5s", "ms", ms(l.p99))
	f.add("POST answered in time", "%", 100*l.answered)
	return nil
}

// printTable prints the figures side by side. The ratio is what tocsin needs of what Alertmanager needs.
func printTable(w io.Writer, o options, all []figures) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%d alerts, %d groups, %d connections\n\n", o.alerts, groups, connections)
	fmt.Fprint(t, "work\t")
	for _, f := range all {
		fmt.Fprintf(t, "%s\t", f.name)
	}
	fmt.Fprint(t, "unit\tratio\t\n")
	for i, row := range all[0].all {
		fmt.Fprintf(t, "%s\t", row.row)
		for _, f := range all {
			fmt.Fprintf(t, "%.4g\t", f.all[i].value)
		}
		fmt.Fprintf(t, "%s\t", row.unit)
		if len(all) == 2 && row.value > 0 {
			ratio := all[1].all[i].value / row.value
			if ratio > 0 && ratio < 0.5 {
				fmt.Fprintf(t, "1/%.3g\t", 1/ratio)
			} else {
				fmt.Fprintf(t, "%.2f\t", ratio)
			}
		}
		fmt.Fprint(t, "\n")
	}
	t.Flush()
}
