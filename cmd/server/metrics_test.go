package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// running starts a server on a free port and returns its address. It ends with the test.
func running(t *testing.T, text string) (address string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "alertmanager.yml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	logs := &lines{found: make(chan string, 1)}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, []string{"--config.file", file, "--storage.path", dir, "--web.listen-address", "127.0.0.1:0"}, io.Discard, logs)
	}()
	t.Cleanup(func() {
		stop()
		assert.Equal(t, 0, <-ended, "exit code")
	})
	select {
	case address := <-logs.found:
		return "http://" + address
	case code := <-ended:
		ended <- code
		t.Fatalf("the server ended with %d: %s", code, logs.text.String())
		return ""
	}
}

// lines finds the address in the log.
type lines struct {
	text  bytes.Buffer
	found chan string
}

func (l *lines) Write(p []byte) (int, error) { // slog's handlers write a line at a time, under a lock
	if m := regexp.MustCompile(`Listening on.*address=(\S+)`).FindSubmatch(p); m != nil {
		l.found <- string(m[1])
	}
	return l.text.Write(p)
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text)
}

// All that the server exports is named well, few, and has no label that an alert could fill. The
// names that Alertmanager's monitoring mixin and dashboards use are there, whatever a linter thinks
// of them.
func TestMetrics(t *testing.T) {
	address := running(t, "route: {receiver: r}\nreceivers: [{name: r, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\n")
	resp, err := http.Post(address+"/api/v2/alerts", "application/json", strings.NewReader(`[{"labels":{"alertname":"HostileName"}}]`))
	require.NoError(t, err)
	resp.Body.Close()
	text := fetch(t, address+"/metrics")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	require.NoError(t, err)
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "tocsin_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	assert.NotContains(t, text, "HostileName")
	assert.Less(t, strings.Count(text, "\n"), 900, "few")
	for _, name := range []string{
		"alertmanager_alerts", "alertmanager_alerts_invalid_total", "alertmanager_alerts_received_total", "alertmanager_build_info",
		"alertmanager_cluster_members", "alertmanager_config_hash", "alertmanager_config_last_reload_successful",
		"alertmanager_notification_latency_seconds_bucket", "alertmanager_notifications_failed_total",
		"alertmanager_notifications_total", "alertmanager_notifications_suppressed_total", "alertmanager_silences",
		"process_start_time_seconds", "tocsin_cycle_duration_seconds_bucket", "tocsin_suppressed_alerts",
		"tocsin_outbox_oldest_age_seconds", "tocsin_deliveries_total", "tocsin_source_last_success_timestamp_seconds",
	} {
		assert.Contains(t, text, "\n"+name, name)
	}
}

func TestProbes(t *testing.T) {
	address := running(t, "route: {receiver: r}\nreceivers: [{name: r}]\n")
	assert.Equal(t, "OK\n", fetch(t, address+"/-/healthy"))
	assert.Equal(t, "OK\n", fetch(t, address+"/-/ready"))
	assert.Contains(t, fetch(t, address+"/-/reload"), "POST")
	assert.NotContains(t, fetch(t, address+"/debug/pprof/cmdline"), "config.file", "only when asked for")
}
