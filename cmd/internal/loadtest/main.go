// Command loadtest measures tocsin and Alertmanager side by side: both as processes of their own,
// with the same configuration and the same requests over HTTP on loopback, one after the other. It
// prints a table with the ratio of each figure. make bench-peer runs it.
//
// An alert has 10 labels and 3 annotations, about 744 bytes on the wire; bodies hold 64 of them and
// arrive over four connections. There are 50 inhibit rules, 1,000 groups, and a webhook that accepts
// everything. CPU is that of the server process, user and system, with a resolution of 10 ms: what is
// shorter is repeated.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tocsin/tocsin/cmd/internal/peer"
)

// options say how much is measured, and of what.
type options struct {
	alerts   int           // active at the end
	few      int           // active at the first reads
	steady   time.Duration // how long the latency of POST is measured
	peer     string        // the binary of Alertmanager; built if empty
	tocsin   string        // the binary of tocsin; built if empty
	profiles string        // the folder for tocsin's profiles; none if empty
	only     string        // "tocsin" or "alertmanager"; both if empty
}

func main() {
	var o options
	flag.IntVar(&o.alerts, "alerts", 100_000, "how many alerts are active")
	flag.IntVar(&o.few, "few", 10_000, "how many are active at the first reads")
	flag.DurationVar(&o.steady, "steady", 15*time.Second, "how long the latency of POST is measured")
	flag.StringVar(&o.peer, "alertmanager", "", "binary of Alertmanager (default: built from the module that go.mod names)")
	flag.StringVar(&o.tocsin, "tocsin", "", "binary of tocsin (default: built)")
	flag.StringVar(&o.profiles, "profiles", "", "folder for tocsin's heap and CPU profiles (default: none are taken)")
	flag.StringVar(&o.only, "only", "", "measure only this one: tocsin or alertmanager")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "loadtest:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "tocsin-bench-peer-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	programs, err := build(dir, o)
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	sink := newSink()
	defer sink.Close()
	var all []figures
	for _, p := range programs {
		f, err := measure(ctx, p, dir, sink.URL, o)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		all = append(all, f)
	}
	printTable(os.Stdout, o, all)
	return nil
}

// A program is one of the two servers.
type program struct {
	name, path string
	flags      []string
	profiles   string // the folder for profiles, or empty
}

// build returns the programs to measure, Alertmanager first.
func build(dir string, o options) ([]program, error) {
	var all []program
	if o.only != "tocsin" {
		if o.peer == "" {
			fmt.Fprintln(os.Stderr, "building Alertmanager")
			var err error
			if o.peer, err = peer.Build(dir); err != nil {
				return nil, err
			}
		}
		all = append(all, program{name: "alertmanager", path: o.peer})
	}
	if o.only != "alertmanager" {
		if o.tocsin == "" {
			fmt.Fprintln(os.Stderr, "building tocsin")
			o.tocsin = filepath.Join(dir, "tocsin")
			if _, err := peer.Go("build", "-o", o.tocsin, "github.com/tocsin/tocsin/cmd/tocsin"); err != nil {
				return nil, err
			}
		}
		all = append(all, program{name: "tocsin", path: o.tocsin, flags: []string{"--web.enable-pprof"}, profiles: o.profiles})
	}
	return all, nil
}
