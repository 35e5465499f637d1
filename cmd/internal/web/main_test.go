package web

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/net/html"

	"github.com/tocsin/tocsin/alarm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is when the tests of plain functions take place, and when a synctest bubble begins.
var now = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// An engine that knows what it was told to know.
type fakeEngine struct {
	groups       []alarm.GroupReading
	pending      []alarm.Reading
	silences     []*alarm.Silence
	sources      []alarm.SourceStatus
	explanations map[model.Fingerprint]*alarm.Explanation
	from         time.Time // what Explain was asked for last
	past         map[model.Fingerprint]*alarm.Explanation
	at           time.Time // what ExplainAt was asked for last
	err          error
	slow         time.Duration // what Groups takes
	reads        int
}

func (e *fakeEngine) Groups(ctx context.Context) ([]alarm.GroupReading, error) {
	e.reads++
	if e.slow > 0 {
		select {
		case <-time.After(e.slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return e.groups, e.err
}

// Alerts returns each alert of the groups once, and what is pending.
func (e *fakeEngine) Alerts(context.Context) ([]alarm.Reading, error) {
	all := slices.Clone(e.pending)
	for _, g := range e.groups {
		all = append(all, g.Alerts...)
	}
	slices.SortFunc(all, func(a, b alarm.Reading) int { return cmp.Compare(a.Alert.Fingerprint(), b.Alert.Fingerprint()) })
	return slices.CompactFunc(all, func(a, b alarm.Reading) bool { return a.Alert.Fingerprint() == b.Alert.Fingerprint() }), e.err
}

func (e *fakeEngine) Silences(context.Context) ([]*alarm.Silence, error) { return e.silences, e.err }
func (e *fakeEngine) Sources() []alarm.SourceStatus                      { return e.sources }

func (e *fakeEngine) Explain(_ context.Context, fp model.Fingerprint, from time.Time) (*alarm.Explanation, error) {
	e.from = from
	return e.explanations[fp], e.err
}

func (e *fakeEngine) ExplainAt(_ context.Context, fp model.Fingerprint, from, at time.Time) (*alarm.Explanation, error) {
	e.from, e.at = from, at
	return e.past[fp], e.err
}

// firing returns an alert that began to fire so long ago, and goes to the receivers.
func firing(labels, annotations model.LabelSet, since time.Duration, receivers ...string) alarm.Reading {
	a := alarm.Alert{Labels: labels, Annotations: annotations, StartsAt: now.Add(-since)}.WithFingerprint()
	return alarm.Reading{Alert: &a, Receivers: receivers}
}

func withheld(r alarm.Reading, reasons ...alarm.Suppression) alarm.Reading {
	r.Verdict = &alarm.Verdict{Fingerprint: r.Alert.Fingerprint(), At: now, Suppressions: reasons}
	return r
}

func group(receiver string, labels model.LabelSet, alerts ...alarm.Reading) alarm.GroupReading {
	return alarm.GroupReading{Group: &alarm.Group{
		RouteID: "{}/" + receiver, Key: "{}:" + labels.String(), Receiver: receiver, Labels: labels, Path: []string{"{}"},
		Wait: 30 * time.Second, Interval: 5 * time.Minute, Repeat: 4 * time.Hour,
	}, Alerts: alerts}
}

// night is an engine with a bit of everything.
func night() *fakeEngine {
	node := firing(model.LabelSet{"alertname": "NodeDown", "severity": "critical", "node": "w7"},
		model.LabelSet{"summary": "w7 does not answer", "runbook_url": "https://run.example/node"}, 14*time.Minute, "ops", "log")
	node.Alert.GeneratorURL = "https://vmalert.example/alert?id=1"
	pod := withheld(
		firing(model.LabelSet{"alertname": "PodDown", "severity": "warning", "pod": "cart-1"}, nil, 13*time.Minute, "ops"),
		alarm.Suppression{Reason: alarm.ReasonInhibition, By: node.Alert.Fingerprint().String(), Rule: "nodes"})
	web := withheld(
		firing(model.LabelSet{"alertname": "WebDown", "severity": "critical"}, nil, time.Hour, "ops"),
		alarm.Suppression{Reason: alarm.ReasonSilence, By: "s1"},
		alarm.Suppression{Reason: alarm.ReasonInhibition, By: "0000000000000001"})
	disk := firing(model.LabelSet{"alertname": "DiskFull", "severity": "warning"},
		model.LabelSet{"description": "8 % left", "impact": "no orders"}, 26*time.Hour, "ops")
	cert := firing(model.LabelSet{"alertname": "CertExpires"}, nil, 30*time.Second, "mail")
	pending := firing(model.LabelSet{"alertname": "Slow", "severity": "info"}, nil, time.Minute)
	pending.Alert.State = alarm.Pending

	muted := group("mail", model.LabelSet{}, cert)
	muted.MutedBy = []string{"nights"}
	return &fakeEngine{
		groups: []alarm.GroupReading{
			muted,
			group("ops", model.LabelSet{"alertname": "DiskFull"}, disk),
			group("log", model.LabelSet{"alertname": "NodeDown"}, node),
			group("ops", model.LabelSet{"alertname": "NodeDown"}, node, pod),
			group("ops", model.LabelSet{"alertname": "WebDown"}, web),
		},
		pending: []alarm.Reading{pending},
		silences: []*alarm.Silence{{
			ID: "s1", StartsAt: now.Add(-time.Hour), EndsAt: now.Add(2 * time.Hour), CreatedBy: "anna", Comment: "new kernel",
		}},
	}
}

func newHandler(t testing.TB, e Engine, opts Options) http.Handler {
	h, err := New(e, opts)
	require.NoError(t, err)
	return h
}

func get(t testing.TB, h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func parse(t testing.TB, w *httptest.ResponseRecorder) *html.Node {
	doc, err := html.Parse(strings.NewReader(w.Body.String()))
	require.NoError(t, err)
	return doc
}

// find returns the elements below n, in document order, that are of that kind and carry the class;
// an empty kind or class is any.
func find(n *html.Node, kind, class string) []*html.Node {
	var found []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && (kind == "" || d.Data == kind) &&
			(class == "" || slices.Contains(strings.Fields(attr(d, "class")), class)) {
			found = append(found, d)
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// words returns the text below n, with one space where there is any.
func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
