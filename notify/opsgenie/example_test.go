package opsgenie_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/opsgenie"
	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

// Opsgenie, followed to its outcome. Without the fake service, leave URL at opsgenie.US or EU, and
// HTTPClient and Follow out.
func Example() {
	service := opsgenietest.New(opsgenietest.Options{})
	og, err := opsgenie.New("key", opsgenie.Options{
		URL: opsgenie.EU, Instance: "deploybot",
		HTTPClient: service.Client(), Follow: opsgenie.Follow{First: time.Millisecond},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	alert := &alarm.Alert{
		Labels:      model.LabelSet{"alertname": "PaymentsDown", "severity": "critical"},
		Annotations: model.LabelSet{"summary": "nobody can pay"},
	}
	err = og.Deliver(ctx, notify.Open("payments-down", alert))
	var slow *notify.ThrottledError
	switch {
	case errors.As(err, &slow):
		fmt.Println("again in", slow.After)
	case errors.Is(err, notify.ErrRejected):
		fmt.Println("never:", err)
	}
	for _, a := range service.Open() {
		fmt.Println(a.Alias, a.Priority, a.Message)
	}
	err = og.Deliver(ctx, notify.Close("payments-down", "recovered"))
	fmt.Println(len(service.Open()), err)
	// Output:
	// deploybot/payments-down P3 nobody can pay
	// 0 <nil>
}

// JSM Operations, with what it needs to read back what is open.
func ExampleClient_List() {
	service := opsgenietest.New(opsgenietest.Options{JSM: true})
	c, err := opsgenie.New("key", opsgenie.Options{
		Backend:    opsgenie.JiraServiceManagement,
		Instance:   "prod",
		Operations: opsgenie.Operations{CloudID: "cloud", Email: "ops@example.org", Token: "token"},
		HTTPClient: service.Client(), Follow: opsgenie.Follow{First: time.Millisecond},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	err = c.Deliver(ctx, notify.Open("disk", &alarm.Alert{Labels: model.LabelSet{"alertname": "DiskFull", "instance": "db1"}}))
	if err != nil {
		fmt.Println(err)
		return
	}
	service.Acknowledge("prod/disk", "ann")
	open, err := c.List(ctx)
	for _, in := range open {
		fmt.Println(in.Alias, in.Message, in.AcknowledgedBy)
	}
	fmt.Println(err)
	// Output:
	// prod/disk DiskFull db1 ann
	// <nil>
}
