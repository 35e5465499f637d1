package amreceiver_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/amreceiver"
)

// Any of Alertmanager's integrations, without Alertmanager.
func ExampleBuild() {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Print(string(body))
	}))
	defer server.Close()
	cfg, err := config.Load(`
route: {receiver: ops}
receivers:
- name: ops
  webhook_configs: [{url: '` + server.URL + `', payload: {text: '{{ .CommonLabels.alertname }} is {{ .Status }}'}}]
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	specs, receivers, err := amreceiver.Build(cfg, &url.URL{}, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(specs[0].Name, specs[0].Integrations)

	alert := alarm.Alert{Labels: model.LabelSet{"alertname": "DiskFull"}}
	err = receivers["ops"][0].Receiver.Deliver(context.Background(), notify.Open("disk-full", &alert))
	fmt.Println(err)
	// Output:
	// ops [{webhook[0] true false 0s}]
	// {"text":"DiskFull is firing"}
	// <nil>
}

// What Alertmanager told of is not told again after the change.
func ExampleImportTold() {
	file, err := os.Open("testdata/nflog-0.25")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	told, err := amreceiver.ImportTold(file, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	for _, t := range told {
		fmt.Println(t.Key, len(t.Open), "open")
	}
	fmt.Println(err)
	// Output:
	// ops/webhook[0]/{}:{alertname="NodeDown"} 1 open
	// ops/webhook[0]/{}:{alertname="Slow"} 1 open
	// ops/webhook[1]/{}:{alertname="NodeDown"} 2 open
	// ops/webhook[1]/{}:{alertname="Slow"} 1 open
	// <nil>
}

func ExampleImportSilences() {
	file, err := os.Open("testdata/silences-0.25")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	silences, err := amreceiver.ImportSilences(file, now)
	for _, s := range silences {
		fmt.Println(s.StateAt(now), s.Matchers, s.Comment)
	}
	fmt.Println(err)
	// Output:
	// active {alertname=~"Disk.*",env!="prod",host="db1",zone!~"eu-.*"} patch night
	// expired {alertname="Old"} done
	// <nil>
}
