package source_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/source"
)

// printer stands for the engine.
type printer struct{}

func (printer) Submit(_ context.Context, in alarm.Input) error {
	for _, a := range in.Snapshots[0].Alerts {
		fmt.Println(in.Snapshots[0].Source, a.Name(), "until", a.EndsAt.Format(time.TimeOnly))
	}
	return nil
}

func ExamplePush() {
	push, err := source.NewPush("push", printer{}, source.PushOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 11, 21, 7, 0, 0, 0, time.UTC)
	err = push.Receive(context.Background(), now, []byte(`[{"labels":{"alertname":"NodeDown"}},{"labels":{}}]`))
	var invalid *source.InvalidError
	if errors.As(err, &invalid) {
		fmt.Println(invalid.Count, "invalid:", err)
	}
	// Output:
	// push NodeDown until 07:05:00
	// 1 invalid: at least one label pair required
}

// answers stands for a server: it answers each path with a text.
func answers(texts map[string]string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "Sat, 21 Nov 2026 07:00:00 GMT")
		io.WriteString(w, texts[r.URL.Path])
	}))
}

func ask(s alarm.Source) {
	snapshot, err := s.Alerts(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range snapshot.Alerts {
		fmt.Println(a.State, a.Labels, "since", a.StartsAt.Format(time.TimeOnly))
	}
	for _, ms := range snapshot.Unknowns {
		fmt.Println("unknown", ms)
	}
}

func ExampleNewRules() {
	vmalert := answers(map[string]string{"/api/v1/rules": `{"status":"success","data":{"groups":[{"name":"nodes","interval":30,"rules":[
		{"name":"NodeDown","type":"alerting","duration":60,"health":"ok","lastEvaluation":"2026-11-21T06:59:50Z","state":"firing","alerts":[
			{"state":"firing","labels":{"alertname":"NodeDown","alertgroup":"nodes","instance":"a"},"activeAt":"2026-11-21T06:50:00Z"}]},
		{"name":"DiskFull","type":"alerting","health":"err","lastError":"no answer","lastEvaluation":"2026-11-21T06:59:50Z","state":"inactive"}]}]}}`})
	defer vmalert.Close()
	rules, err := source.NewRules("gen2", source.VMAlert, []string{vmalert.URL}, source.PullOptions{
		Client: vmalert.Client(),
		Labels: model.LabelSet{"product_generation": "2"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ask(rules) // alarm.Collect asks again and again
	// Output:
	// firing {alertgroup="nodes", alertname="NodeDown", instance="a", product_generation="2"} since 06:51:00
	// unknown {alertgroup=~"nodes|",alertname="DiskFull"}
}

func ExampleNewAlertmanager() {
	alertmanager := answers(map[string]string{
		"/api/v2/alerts": `[{"labels":{"alertname":"NodeDown"},"annotations":{},"startsAt":"2026-11-21T06:50:00.000Z","status":{"state":"suppressed"}}]`,
		"/api/v2/status": `{"uptime":"2026-11-01T00:00:00.000Z"}`,
	})
	defer alertmanager.Close()
	old, err := source.NewAlertmanager("old", []string{alertmanager.URL}, source.PullOptions{Client: alertmanager.Client()})
	if err != nil {
		fmt.Println(err)
		return
	}
	ask(old)
	// Output:
	// firing {alertname="NodeDown"} since 06:50:00
}
