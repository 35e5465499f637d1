package amreceiver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	amreceiver "github.com/prometheus/alertmanager/config/receiver"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify/notifytest"
)

// An attempt made again is recognised by its header, and nothing else is taken for one.
func TestIdempotencyHeader(t *testing.T) {
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get(IdempotencyHeader))
	}))
	defer server.Close()
	now := time.Now()
	deliver := func(change func(*alarm.Delivery)) string {
		r := one(t, "webhook_configs: [{url: '"+server.URL+"'}]") // another server, or the same one after a restart
		d := notifytest.Delivery(now, "ops", "webhook[0]", "g", alarm.Add)
		d.ID, d.Uncertain, d.Now = 17, len(keys) > 0, now.Add(time.Duration(len(keys))*time.Second)
		change(d)
		require.NoError(t, r.Deliver(t.Context(), d))
		return keys[len(keys)-1]
	}
	first := deliver(func(*alarm.Delivery) {})
	assert.Regexp(t, `^"[0-9a-f]{32}"$`, first)
	assert.Equal(t, first, deliver(func(*alarm.Delivery) {}))
	assert.Equal(t, first, deliver(func(d *alarm.Delivery) { d.Alerts[0].UpdatedAt = now.Add(time.Minute) }))
	for what, change := range map[string]func(*alarm.Delivery){
		"a reminder":         func(d *alarm.Delivery) { d.ID++ },
		"another receiver":   func(d *alarm.Delivery) { d.Key.Receiver = "others" },
		"it fires anew":      func(d *alarm.Delivery) { d.Alerts[0].StartsAt = now },
		"it has ended":       func(d *alarm.Delivery) { d.Alerts[0].EndsAt = now },
		"another text":       func(d *alarm.Delivery) { d.Alerts[0].Annotations = model.LabelSet{"summary": "worse"} },
		"another alert":      func(d *alarm.Delivery) { d.Alerts[0].Labels = model.LabelSet{"alertname": "Other"} },
		"one more":           func(d *alarm.Delivery) { d.Alerts = append(d.Alerts, d.Alerts[0]) },
		"another note of it": func(d *alarm.Delivery) { d.Notes = []string{"it flaps"} },
	} {
		assert.NotEqual(t, first, deliver(change), what)
	}
}

// Who has such a header in the configuration keeps it.
func TestConfiguredHeaderStays(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Values(IdempotencyHeader) }))
	defer server.Close()
	r := one(t, "webhook_configs: [{url: '"+server.URL+"', http_config: {http_headers: {idempotency-key: {values: [mine]}}}}]")
	require.NoError(t, r.Deliver(t.Context(), notifytest.Delivery(time.Now(), "ops", "webhook[0]", "g", alarm.Add)))
	assert.Equal(t, []string{"mine"}, got)
}

// What a webhook sends, and what it makes of an answer, is what Alertmanager's own does.
func TestWebhookIsAlertmanagers(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if r.URL.Path == "/slow" { // it may be over before it came here
			<-r.Context().Done()
			return
		}
		assert.NoError(t, err)
		r.Header.Del(IdempotencyHeader)
		got = append(got, fmt.Sprintf("%s %s %v\n%s", r.Method, r.URL, r.Header, body))
		if r.URL.Path == "/refuse" {
			http.Error(w, "not today", http.StatusForbidden)
		}
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(file, []byte(server.URL+"/{{ .GroupLabels.team }}\n"), 0o600))
	blank := filepath.Join(t.TempDir(), "blank")
	require.NoError(t, os.WriteFile(blank, []byte(" \n"), 0o600))

	for _, webhook := range []string{
		"{url: 'URL/plain'}",
		"{url: 'URL/{{ .GroupLabels.team }}', send_resolved: false}",
		"{url: 'URL/most', max_alerts: 1}",
		"{url: 'URL/enough', max_alerts: 3}",
		"{url: 'URL/payload', payload: {text: '{{ .Status }} {{ len .Alerts }}', deep: [{a: '{{ .GroupLabels.team }}'}]}}",
		"{url: 'URL/payload', payload: {text: '{{ .Nope }}'}}",
		"{url: 'URL/payload', payload: '{{ template \"nope\" }}'}",
		"{url: 'URL/{{ template \"nope\" }}'}",
		"{url: '{{ .GroupLabels.nope }}'}",
		"{url_file: 'FILE'}",
		"{url_file: 'BLANK'}",
		"{url_file: '/nowhere/url'}",
		"{url: 'URL/payload', payload: {number: .nan}}",
		"{url: 'URL/{{ template \"nope\" }}', payload: '{{ template \"nope\" }}'}",
		"{url: 'URL/refuse'}",
		"{url: 'URL/slow', timeout: 100ms}",
		"{url: 'http://127.0.0.1:1/'}",
		"{url: 'URL/headers', http_config: {authorization: {credentials: secret}, http_headers: {X-Team: {values: [db]}}}}",
	} {
		t.Run(webhook, func(t *testing.T) {
			got = nil
			text := strings.NewReplacer("URL", server.URL, "FILE", file, "BLANK", blank).Replace(webhook)
			cfg, err := config.Load("route: {receiver: ops}\nreceivers: [{name: ops, webhook_configs: [" + text + "]}]")
			require.NoError(t, err)
			tmpl, err := template.FromGlobs(nil)
			require.NoError(t, err)
			tmpl.ExternalURL = &url.URL{Scheme: "http", Host: "am"}
			theirs, err := amreceiver.BuildReceiverIntegrations(cfg.Receivers[0], tmpl, quiet)
			require.NoError(t, err)
			require.Len(t, theirs, 1)
			ours := append([]amnotify.Integration(nil), theirs...)
			require.NoError(t, keyed(ours, cfg.Receivers[0], tmpl, quiet, nil))
			assert.Equal(t, theirs[0].String(), ours[0].String())
			assert.Equal(t, theirs[0].SendResolved(), ours[0].SendResolved())

			now := time.Now()
			d := notifytest.Delivery(now, "ops", "webhook[0]", "g", alarm.Add)
			d.Alerts = append(d.Alerts, d.Alerts[0], d.Alerts[0])
			d.Alerts[1].EndsAt = now
			ctx := amnotify.WithGroupKey(t.Context(), "{}:{}")
			ctx = amnotify.WithGroupLabels(ctx, model.LabelSet{"team": "db"})
			ctx = amnotify.WithReceiverName(ctx, "ops")
			ctx = amnotify.WithNotificationReason(ctx, amnotify.ReasonFirstNotification)
			var said [2]string
			for i, in := range []amnotify.Integration{theirs[0], ours[0]} {
				retry, err := in.Notify(ctx, amAlerts(d)...)
				said[i] = fmt.Sprintf("%v %T %v", retry, err, err)
			}
			assert.Equal(t, said[0], said[1])
			if len(got) > 0 {
				require.Len(t, got, 2)
				assert.Equal(t, got[0], got[1])
			}
		})
	}
}
