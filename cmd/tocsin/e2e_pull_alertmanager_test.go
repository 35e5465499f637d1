package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newAlertmanager starts Debian's Alertmanager, which tells nobody of anything.
func newAlertmanager(t *testing.T) *part {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir()}
	address := loopback(t)
	am := &part{
		t: t, program: debianPart(t, "prometheus-alertmanager", "prometheus-alertmanager"), address: address, health: "/-/ready",
		args: []string{
			"--config.file=" + l.write("alertmanager.yml", "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"),
			"--storage.path=" + filepath.Join(l.dir, "data"), "--cluster.listen-address=", "--web.listen-address=" + address,
		},
	}
	am.Start()
	return am
}

// Push posts alerts to an Alertmanager.
func (p *part) Push(alerts ...alert) {
	p.t.Helper()
	text, err := json.Marshal(alerts)
	require.NoError(p.t, err)
	resp, err := http.Post(p.URL()+"/api/v2/alerts", "application/json", strings.NewReader(string(text)))
	require.NoError(p.t, err)
	require.NoError(p.t, resp.Body.Close())
	require.Equal(p.t, http.StatusOK, resp.StatusCode)
	http.DefaultClient.CloseIdleConnections()
}

// aged returns the URL of an Alertmanager that says that it has been up for years.
func aged(t *testing.T, am *part) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := fetch(am.URL() + r.URL.RequestURI())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/status") {
			text = `{"uptime":"2020-01-01T00:00:00Z"}`
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestPullAlertmanager has an Alertmanager asked that is restarted, and forgets everything: what it
// lists a short while after its start is not all that fires.
func TestPullAlertmanager(t *testing.T) {
	t.Parallel()
	am, sink := newAlertmanager(t), newSink(t)
	s := startServer(t, pulling(sink, asking("alertmanager", am.URL())))
	am.Push(firing(named("Disk")), firing(named("Locks")))
	eventually(t, sink.said("Disk", "firing"))
	eventually(t, sink.said("Locks", "firing"))

	am.Kill()
	eventually(t, sink.lastSaid("TocsinSourceDown", "firing"))
	s.asks("lab", "error", manyIntervals)
	am.Start()
	eventually(t, sink.lastSaid("TocsinSourceDown", "resolved"))
	s.asks("lab", "ok", manyIntervals)
	am.Push(firing(named("Disk")))
	s.asks("lab", "ok", 2)
	rounds(t, s, sink, named("Clock"))
	assert.Equal(t, []string{"firing"}, sink.About("Disk"))
	assert.Equal(t, []string{"firing"}, sink.About("Locks"), "held: it forgot")
}

// TestPullAlertmanagerThatKnows has an alert end when an Alertmanager that knows everything lists it
// no longer.
func TestPullAlertmanagerThatKnows(t *testing.T) {
	t.Parallel()
	am, sink := newAlertmanager(t), newSink(t)
	s := startServer(t, pulling(sink, asking("alertmanager", aged(t, am))))
	am.Push(firing(named("Disk")), firing(named("Locks")))
	eventually(t, sink.said("Disk", "firing"))
	eventually(t, sink.said("Locks", "firing"))
	am.Push(ended(named("Disk")))
	eventually(t, sink.said("Disk", "firing", "resolved"))
	rounds(t, s, sink, named("Clock"))
	assert.Equal(t, []string{"firing"}, sink.About("Locks"))
}
