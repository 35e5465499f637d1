package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/depgraph"
)

// because withholds an alert for causes, of which the first is the root if there are two.
func because(r alarm.Reading, rule string, causes ...alarm.Reading) alarm.Reading {
	s := alarm.Suppression{Reason: alarm.ReasonDependency, By: causes[0].Alert.Fingerprint().String(), Rule: rule, Note: causes[0].Alert.Name(), Since: now}
	if len(causes) > 1 {
		s.Root = causes[1].Alert.Fingerprint().String()
	}
	return withheld(r, s)
}

// outage is a rack that is gone, with nodes, and so many targets and one pod on each.
func outage(nodes, targets int) *fakeEngine {
	rack := firing(model.LabelSet{"alertname": "RackDown", "severity": "critical", "cluster": "eu"}, nil, time.Hour, "ops")
	alerts := []alarm.Reading{rack}
	for i := range nodes {
		name := model.LabelValue(fmt.Sprintf("n%d", i))
		node := because(firing(model.LabelSet{"alertname": "NodeDown", "severity": "critical", "node": name}, nil, time.Minute, "ops"), "racks", rack)
		alerts = append(alerts, node)
		for k := range targets {
			target := firing(model.LabelSet{"alertname": "TargetDown", "severity": "warning", "instance": name + model.LabelValue(fmt.Sprintf(":%d", k))}, nil, time.Minute, "ops")
			alerts = append(alerts, because(target, "nodes", node, rack))
		}
		alerts = append(alerts, because(firing(model.LabelSet{"alertname": "PodDown", "pod": name}, nil, time.Minute, "ops"), "nodes", node, rack))
	}
	return &fakeEngine{groups: []alarm.GroupReading{group("ops", nil, alerts...)}}
}

// graphOf prints the drawing as the table beside it has it, and checks that the picture says the same.
func graphOf(t *testing.T, doc *html.Node) string {
	var lines []string
	for _, row := range find(find(doc, "tbody", "")[0], "tr", "") {
		lines = append(lines, words(row))
	}
	drawn := find(find(doc, "svg", "drawing")[0], "a", "box")
	require.Len(t, drawn, len(lines), "the table has what is drawn")
	for i, box := range drawn {
		assert.Equal(t, words(find(box, "title", "")[0]), words(find(find(doc, "tbody", "")[0], "tr", "")[i].FirstChild))
	}
	return strings.Join(lines, "\n")
}

func TestDependenciesPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := get(t, newHandler(t, outage(2, 3), Options{}), "/dependencies")
		require.Equal(t, http.StatusOK, w.Code)
		doc := parse(t, w)
		assert.Equal(t, "1 cause explains 10 alerts that fire now.", words(find(doc, "p", "sum")[0]))
		assert.Equal(t, strings.TrimSpace(`
RackDown 1 h ago nothing: root cause 2 10
NodeDown on n1 1 min ago RackDown, rule racks 4 4
3 × TargetDown 1 min ago NodeDown on n1, rule nodes 0 0
PodDown on n1 1 min ago NodeDown on n1, rule nodes 0 0
NodeDown on n0 1 min ago RackDown, rule racks 4 4
3 × TargetDown 1 min ago NodeDown on n0, rule nodes 0 0
PodDown on n0 1 min ago NodeDown on n0, rule nodes 0 0`), graphOf(t, doc))
		assert.Len(t, find(doc, "path", "line"), 6)
		again := get(t, newHandler(t, outage(2, 3), Options{}), "/dependencies")
		assert.Equal(t, w.Body.String(), again.Body.String(), "the same alerts are the same picture")
	})
}

func TestABundleLeadsToItsAlerts(t *testing.T) {
	h := newHandler(t, outage(2, 3), Options{})
	bundle := find(parse(t, get(t, h, "/dependencies")), "a", "box")[2]
	list := parse(t, get(t, h, reach(t, "/dependencies", attr(bundle, "href"))))
	assert.Len(t, find(list, "li", "row"), 3)
	assert.Contains(t, words(find(list, "p", "because")[0]), "What NodeDown on n1 explains.")
}

func TestDependenciesPageOfNothing(t *testing.T) {
	assert.Contains(t, words(parse(t, get(t, newHandler(t, &fakeEngine{}, Options{}), "/dependencies"))), "Nothing that fires explains anything else.")
}

func TestDependenciesPageIsBounded(t *testing.T) {
	w := get(t, newHandler(t, outage(1000, 12), Options{}), "/dependencies")
	assert.Less(t, w.Body.Len(), 200_000)
	doc := parse(t, w)
	boxes := find(doc, "a", "box")
	assert.Len(t, boxes, graphBoxes)
	assert.Equal(t, "RackDown, explains 14000", attr(boxes[0], "aria-label"))
	// 1 rack, 119 of 1000 nodes
	assert.Equal(t, "1 cause explains 14000 alerts that fire now. 13881 more alerts are not shown, those that explain the least.", words(find(doc, "p", "sum")[0]))
}

func TestWideGraphsAreBundled(t *testing.T) {
	doc := parse(t, get(t, newHandler(t, outage(1, 5000), Options{}), "/dependencies"))
	assert.Equal(t, "1 cause explains 5002 alerts that fire now.", words(find(doc, "p", "sum")[0]))
	assert.Len(t, find(doc, "a", "box"), 4)
}

func TestACauseThatIsGoneIsDrawnAsLongAsItsImpactsSettle(t *testing.T) {
	e := outage(1, 3)
	e.groups[0].Alerts = e.groups[0].Alerts[1:]
	doc := parse(t, get(t, newHandler(t, e, Options{}), "/dependencies"))
	first := find(find(doc, "tbody", "")[0], "tr", "")[0]
	assert.Equal(t, "RackDown not known any more nothing: root cause 1 5", words(first))
	assert.Contains(t, words(doc), "NodeDown on n0 ")
	assert.Len(t, find(doc, "path", "settling"), 1)
}

// No two boxes share a place, every line leads to the right, and a circle, which verdicts of two instants
// may form, is drawn all the same.
func TestDrawingsAreReadable(t *testing.T) {
	circle := []alarm.Reading{
		firing(model.LabelSet{"alertname": "A"}, nil, 0), firing(model.LabelSet{"alertname": "B"}, nil, 0), firing(model.LabelSet{"alertname": "C"}, nil, 0),
	}
	for i := range circle {
		circle[i] = because(circle[i], "r", circle[(i+1)%len(circle)])
	}
	graphs := map[string][]alarm.Reading{"circle": circle}
	for _, n := range []int{1, 7, 40, 300} {
		var all []alarm.Reading
		for i := range n {
			r := firing(model.LabelSet{"alertname": "X", "n": model.LabelValue(fmt.Sprint(i))}, nil, 0)
			v := alarm.Verdict{}
			for _, k := range []int{i / 2, i / 3, i - 7} { // a mesh with many layers
				if k >= 0 && k < i {
					v.Suppressions = append(v.Suppressions, alarm.Suppression{Reason: alarm.ReasonInhibition, By: all[k].Alert.Fingerprint().String()})
				}
			}
			r.Verdict = &v
			all = append(all, r)
		}
		graphs[fmt.Sprint(n)] = all
	}
	for name, readings := range graphs {
		boxes, _ := boxesOf(depgraph.Draw(readings, graphNodes), graphBoxes)
		d, _ := rower{now: now, r: &reading{}, scale: newSeverityScale("", nil), root: "./"}.draw(boxes)
		places := map[[2]int]bool{}
		for _, b := range d.Boxes {
			assert.False(t, places[[2]int{b.X, b.Y}], "%s: two boxes at %d %d", name, b.X, b.Y)
			places[[2]int{b.X, b.Y}] = true
			assert.True(t, b.X+boxWidth <= d.Width && b.Y+boxHeight <= d.Height, "%s: inside", name)
		}
		for _, b := range boxes {
			for _, cause := range b.causes {
				assert.True(t, cause.x < b.x || name == "circle" || b.layer == maxLayers-1, "%s: to the right", name)
			}
		}
	}
}
