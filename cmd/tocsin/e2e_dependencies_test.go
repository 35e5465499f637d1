package main_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The rules of a fleet, over the depths of queues: host/NAME is 1 while the host is down, and
// svc/HOST/NAME while nobody reaches the service there. Some impacts fire before their cause does, and
// some after.
const (
	nodeDownRule = `
  - {alert: NodeDown, for: 2s, expr: 'label_replace(depth{queue=~"host/.*"} == 1, "node", "$1", "queue", "host/(.*)")', labels: {cluster: eu, severity: critical}}`
	clusterDownRule = `
  - {alert: ClusterDown, for: 2s, expr: 'sum by (job) (depth{queue="cluster"}) == 1', labels: {cluster: eu, severity: critical}}`
	serviceRules = `
  - {alert: TargetDown, expr: 'label_replace(label_replace(depth{queue=~"svc/.*"} == 1, "instance", "$1:9100", "queue", "svc/([^/]*)/.*"), "service", "$1", "queue", "svc/[^/]*/(.*)")', labels: {cluster: eu, severity: warning}}
  - {alert: HighLatency, for: 4s, expr: 'label_replace(label_replace(depth{queue=~"svc/.*"} == 1, "instance", "$1:9100", "queue", "svc/([^/]*)/.*"), "service", "$1", "queue", "svc/[^/]*/(.*)")', labels: {cluster: eu, severity: critical}}`
)

// fleetConfig tells a sink, with dependencies. The timers are long enough for a slow machine: within
// group_wait everything fires that is going to.
func fleetConfig(sink *sink, source, dependencies string) string {
	return fmt.Sprintf(`
route: {receiver: ops, group_by: [cluster], group_wait: 12s, group_interval: 15s, repeat_interval: 4h}
receivers: [{name: ops, webhook_configs: [{url: %q}]}]
tocsin:
  severities: {critical: {page: true}, warning: {page: true}}
  sources:
  - %s
  dependencies:
%s
`, sink.URL, source, dependencies)
}

// TestRebootIsOnePage has one host of twenty go down, behind which fifty alerts fire: one notification
// names the cause and the number, and one tells that it is over.
func TestRebootIsOnePage(t *testing.T) { eachVMAlert(t, rebootIsOnePage) }

func rebootIsOnePage(t *testing.T, l *lab) {
	for name, c := range map[string]struct{ rule, queue, dependency, cause string }{
		"host":    {nodeDownRule, "host/h07", "on: [cluster, {impact: instance, cause: node, strip_port: true}]", "NodeDown"},
		"cluster": {clusterDownRule, "cluster", "on: [cluster]", "ClusterDown"},
	} {
		t.Run(name, func(t *testing.T) {
			l.Rules(c.rule, serviceRules)
			va := l.VMAlert()
			sink := newSink(t)
			s := startServer(t, fleetConfig(sink, asking("vmalert", va.URL()), fmt.Sprintf(`
  - {name: %s-explains, cause: ['alertname="%s"'], impact: ['alertname=~"TargetDown|HighLatency"'], %s, hold_back: 20s, settle: 5s, max: 4h}
`, name, c.cause, c.dependency)))
			services := func(depth int) {
				for n := range 25 {
					l.Set(fmt.Sprintf("svc/h07/s%02d", n), depth)
				}
			}
			for n := range 20 {
				l.Set(fmt.Sprintf("host/h%02d", n), 0)
			}
			services(0)
			eventually(t, va.lists(0))

			services(1)
			l.Set(c.queue, 1)
			eventually(t, sink.said(c.cause, "firing"))
			all := sink.Notifications()
			require.Len(t, all, 1)
			require.Len(t, all[0].Alerts, 1)
			assert.Equal(t, "50 alerts: 25 HighLatency, 25 TargetDown", string(all[0].Alerts[0].Annotations["tocsin_explains"]))

			out := run(t, s.program, "explain", "--alertmanager.url=http://"+s.address, `alertname="TargetDown"`, `service="s03"`)
			assert.Contains(t, out.Stdout, "withheld  dependency by ", out.Stderr)
			assert.Contains(t, out.Stdout, c.cause)

			l.Set(c.queue, 0)
			services(0)
			eventually(t, sink.said(c.cause, "firing", "resolved"))
			eventually(t, func() error {
				if n := len(s.Alerts()); n > 0 {
					return fmt.Errorf("%d alerts are still there", n)
				}
				return nil
			})
			rounds(t, s, sink, named("Clock"))
			assert.Empty(t, sink.About("TargetDown"))
			assert.Empty(t, sink.About("HighLatency"))
			assert.Equal(t, []string{"firing", "resolved"}, sink.About(c.cause))
			s.Stop()
			va.Kill()
		})
	}
}

// TestMonitoringRestarts has the host of the monitoring restart: 400 alerts of eight types of node fire
// behind it. What still fires when it is back is told.
func TestMonitoringRestarts(t *testing.T) { eachVMAlert(t, monitoringRestarts) }

func monitoringRestarts(t *testing.T, l *lab) {
	var rules strings.Builder
	types := []string{"App", "Cache", "Db", "Edge", "Mail", "Proxy", "Queue", "Search"}
	for _, kind := range types {
		fmt.Fprintf(&rules, `
  - {alert: %sDown, expr: 'label_replace(depth{queue=~"%[1]s/.*"} == 1, "node", "$1", "queue", "%[1]s/(.*)")', labels: {cluster: eu, severity: critical}}`, kind)
	}
	rules.WriteString(`
  - {alert: MonitoringRestarted, for: 2s, expr: 'sum by (job) (depth{queue="monitoring"}) == 1', labels: {cluster: eu, severity: critical}}`)
	l.Rules(rules.String())
	va := l.VMAlert()
	sink := newSink(t)
	startServer(t, fleetConfig(sink, asking("vmalert", va.URL()), `
  - {name: monitoring-explains, cause: ['alertname="MonitoringRestarted"'], impact: ['alertname=~".*Down"', 'alertname!="TocsinSourceDown"'], on: [cluster], hold_back: 20s, settle: 5s, max: 4h}
`))
	nodes := func(depth, from int) {
		for _, kind := range types {
			for n := from; n < 50; n++ {
				l.Set(fmt.Sprintf("%s/n%02d", kind, n), depth)
			}
		}
	}
	nodes(0, 0)
	eventually(t, va.lists(0))

	nodes(1, 0)
	l.Set("monitoring", 1)
	eventually(t, va.lists(401))
	eventually(t, sink.said("MonitoringRestarted", "firing"))
	l.Set("monitoring", 0)
	nodes(0, 1) // one node of each type is really down
	eventually(t, sink.said("MonitoringRestarted", "firing", "resolved"))
	eventually(t, func() error {
		if n := len(sink.Open()); n != len(types) {
			return fmt.Errorf("%d alerts are open, and should be %d", n, len(types))
		}
		return nil
	})
	firing := 0
	for _, n := range sink.Notifications() {
		for _, a := range n.Alerts {
			if a.Status == "firing" {
				firing++
				break
			}
		}
	}
	assert.LessOrEqual(t, firing, 2, "notifications that something fires")
	for _, kind := range types {
		assert.Equal(t, []string{"firing"}, sink.About(kind+"Down"))
	}
}
