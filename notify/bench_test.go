package notify_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/notifytest"
)

// A sink renders and stores nothing, and counts.
type sink struct{ done chan struct{} }

func (s sink) Render(now time.Time, in alarm.Intention) (*alarm.Delivery, error) {
	return &alarm.Delivery{Intention: in, Now: now}, nil
}

func (s sink) Done(context.Context, alarm.Outcome) error {
	s.done <- struct{}{}
	return nil
}

// What the Deliverer itself costs, without remote and store.
func BenchmarkDeliverer(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("%dk", n/1000), func(b *testing.B) {
			out := sink{make(chan struct{}, 100)}
			accept := receiverFunc(func(context.Context, *alarm.Delivery) error { return nil })
			d, err := notify.New(out, only(notify.Integration{Name: "log[0]", Receiver: accept}), notify.Options{})
			if err != nil {
				b.Fatal(err)
			}
			sample := notifytest.Delivery(time.Now(), "ops", "log[0]", "", alarm.Add).Intention
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error)
			go func() { ended <- d.Run(ctx) }()
			var id int64
			for b.Loop() {
				offered := make([]alarm.Intention, n)
				for i := range offered {
					id++
					offered[i] = sample
					offered[i].ID, offered[i].Key.Group = id, fmt.Sprint(i)
				}
				d.Offer(offered)
				for range n {
					<-out.done
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
			cancel()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		})
	}
}
