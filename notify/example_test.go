package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

// withoutTime keeps the examples' output the same.
var withoutTime = &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}}

// A memory is an outbox of one delivery.
type memory struct {
	delivery alarm.Delivery
	done     chan alarm.Outcome
}

func (m *memory) Render(now time.Time, in alarm.Intention) (*alarm.Delivery, error) {
	d := m.delivery
	d.Now = now
	return &d, nil
}

func (m *memory) Done(_ context.Context, o alarm.Outcome) error {
	m.done <- o
	return nil
}

// In the server the outbox is the engine, and Offer is called by it.
func ExampleDeliverer() {
	out := &memory{
		delivery: alarm.Delivery{
			Intention: alarm.Intention{
				ID:  1,
				Key: alarm.IntentionKey{Receiver: "ops", Integration: "log[0]", Group: `{}:{alertname="DiskFull"}`},
			},
			Alerts: []alarm.Alert{{Labels: model.LabelSet{"alertname": "DiskFull"}}},
		},
		done: make(chan alarm.Outcome, 1),
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, withoutTime))
	d, err := notify.New(out, notify.Receivers{
		"ops": {{Name: "log[0]", Receiver: notify.NewLog(logger, slog.LevelInfo)}},
	}, notify.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	d.Offer([]alarm.Intention{out.delivery.Intention})

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	o := <-out.done
	cancel()
	fmt.Println(o.ID, o.Attempts, o.Err, <-ended)
	// Output:
	// level=INFO msg=delivery receiver=ops integration=log[0] group="{}:{alertname=\"DiskFull\"}" action=add reason="" firing=[DiskFull[744e61c][firing]] resolved=[]
	// 1 1 <nil> <nil>
}

// Any Receiver can be used by itself.
func ExampleOpen() {
	alert := alarm.Alert{Labels: model.LabelSet{"alertname": "PaymentsDown"}}
	var receiver notify.Receiver = notify.NewLog(slog.New(slog.NewTextHandler(os.Stdout, withoutTime)), slog.LevelInfo)

	ctx := context.Background()
	err := receiver.Deliver(ctx, notify.Open("payments-down", &alert))
	var slow *notify.ThrottledError
	switch {
	case errors.As(err, &slow):
		fmt.Println("again in", slow.After)
	case errors.Is(err, notify.ErrRejected):
		fmt.Println("never again:", err)
	}
	if err := receiver.Deliver(ctx, notify.Close("payments-down", "recovered")); err != nil {
		fmt.Println(err)
	}
	// Output:
	// level=INFO msg=delivery receiver="" integration="" group=payments-down action=add reason="first notification" firing=[PaymentsDown[480a9bb][firing]] resolved=[]
	// level=INFO msg=delivery receiver="" integration="" group=payments-down action=close reason=recovered firing=[] resolved=[]
}
