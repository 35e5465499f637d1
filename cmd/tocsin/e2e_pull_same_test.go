package main_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
)

// A way is one in which a server learns of alerts.
type way struct {
	s    *server
	sink *sink
}

// ways starts three servers: one is pushed to, one asks, and one does both. Those that are
// pushed to listen at these addresses as well.
func ways(t *testing.T, source string, addresses map[string]string) map[string]way {
	t.Helper()
	all := map[string]way{}
	for _, name := range []string{"push", "pull", "both"} {
		sink := newSink(t)
		config := quickConfig(sink.URL)
		if name != "push" {
			config = pulling(sink, source)
		}
		var flags []string
		if address := addresses[name]; address != "" {
			flags = append(flags, "--web.listen-address="+address)
		}
		all[name] = way{startServer(t, config, flags...), sink}
	}
	return all
}

// news is what a receiver was told of each group, in order.
func (s *sink) news() map[string][]string {
	told := map[string][]string{}
	for _, n := range s.Notifications() {
		told[n.GroupKey] = append(told[n.GroupKey], n.sets())
	}
	return told
}

// sameNews lets queues fill and drain, one at a time, and holds all three servers to tell the same.
func sameNews(t *testing.T, e *exporter, all map[string]way, alertnames int) {
	t.Helper()
	open := map[string]bool{}
	for i, step := range []struct {
		queue string
		depth int
	}{{"mail", 20}, {"sms", 30}, {"mail", 0}, {"mail", 40}, {"sms", 1}, {"mail", 2}} {
		e.Set(step.queue, step.depth)
		open[step.queue] = step.depth > 10
		firing := 0
		for _, deep := range open {
			if deep {
				firing += alertnames
			}
		}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			eventually(t, func() error {
				if n := len(all[name].sink.Open()); n != firing {
					return fmt.Errorf("step %d, %s: %d alerts are open, and should be %d", i, name, n, firing)
				}
				return nil
			})
			assert.Len(t, all[name].s.Alerts(), firing, "step %d, %s", i, name)
		}
	}
	want := all["push"].sink.news()
	assert.Len(t, want, alertnames, "groups")
	assert.Equal(t, want, all["pull"].sink.news())
	assert.Equal(t, want, all["both"].sink.news())
}

// TestPullAndPushSayTheSame has one vmalert push to two servers while two ask it.
func TestPullAndPushSayTheSame(t *testing.T) { eachVMAlert(t, pullAndPushSayTheSame) }

func pullAndPushSayTheSame(t *testing.T, l *lab) {
	to := map[string]string{"push": loopback(t), "both": loopback(t)}
	va := l.VMAlert(to["push"], to["both"])
	sameNews(t, l.exporter, ways(t, asking("vmalert", va.URL()), to), 2)
}

// TestPrometheusPushAndPullIsOneAlert has a Prometheus with external labels, which it leaves out of
// what it is asked for.
func TestPrometheusPushAndPullIsOneAlert(t *testing.T) {
	t.Parallel()
	program := debianPart(t, "prometheus", "prometheus")
	l := &lab{t: t, exporter: newExporter(t), dir: t.TempDir()}
	l.Rules(deepRule, deepForRule)
	to := map[string]string{"push": loopback(t), "both": loopback(t)}
	config := fmt.Sprintf(`
global: {evaluation_interval: 1s, external_labels: {cluster: lab}}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: [%q, %q]}]}]}
`, to["push"], to["both"]) + l.scrape()
	address := loopback(t)
	prom := &part{t: t, program: program, address: address, health: "/-/ready", args: []string{
		"--config.file=" + l.write("prometheus.yml", config), "--storage.tsdb.path=" + filepath.Join(l.dir, "data"),
		"--web.listen-address=" + address, "--rules.alert.resend-delay=1s",
	}}
	prom.Start()
	source := fmt.Sprintf("{name: lab, type: prometheus, interval: 1s, urls: [%s], labels: {cluster: lab}}", prom.URL())
	all := ways(t, source, to)
	sameNews(t, l.exporter, all, 2)
	for _, n := range all["both"].sink.Notifications() {
		for _, a := range n.Alerts {
			assert.Equal(t, model.LabelValue("lab"), a.Labels["cluster"])
		}
	}
}
