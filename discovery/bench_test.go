package discovery_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/examples/fleet"
)

// processorTime returns a function that reports the processor time since, for each round: what others do
// on the machine does not count.
func processorTime(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkParse(b *testing.B) {
	for _, size := range []int{2, 20, 170} {
		b.Run(fmt.Sprintf("%dKB", size), func(b *testing.B) {
			f := fleet.New(fleet.Options{Largest: size << 10, Calm: true})
			code, contentType, body := f.Document("env-0001", f.Services()[0], time.Unix(1e9, 0))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			cpu := processorTime(b)
			defer cpu()
			for b.Loop() {
				r := discovery.Parse(discovery.Answer{Status: code, ContentType: contentType, Body: body})
				if r.State != discovery.OK {
					b.Fatal(r.State)
				}
			}
		})
	}
}

// The board takes a cycle, and says what fires.
func BenchmarkBoard(b *testing.B) {
	for _, environments := range []int{350, 3500} {
		b.Run(fmt.Sprintf("%denvironments", environments), func(b *testing.B) {
			now := time.Unix(1e9, 0)
			f := fleet.New(fleet.Options{Environments: environments, Largest: 4 << 10})
			c := discovery.Cycle{Agent: "a", Interval: 30 * time.Second}
			for _, t := range f.Targets("http://fleet") {
				code, contentType, body := f.Document(t.Namespace, t.Service, now)
				h := discovery.Health{Target: t, At: now, Report: discovery.Parse(discovery.Answer{Status: code, ContentType: contentType, Body: body})}
				c.Results = append(c.Results, h)
			}
			board, err := discovery.NewBoard(discovery.BoardOptions{Clock: func() time.Time { return now }})
			require.NoError(b, err)
			cpu := processorTime(b)
			defer cpu()
			for b.Loop() {
				now = now.Add(30 * time.Second)
				c.At = now
				board.Observe(now, c)
				if _, err := board.Alerts(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
