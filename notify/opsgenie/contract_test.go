package opsgenie_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/opsgenie"
	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A rig is a client and a fake service, without a socket between them.
type rig struct {
	t      *testing.T
	jsm    bool
	server *opsgenietest.Server
	client *opsgenie.Client
	opts   opsgenie.Options
}

func newRig(t *testing.T, jsm bool, server opsgenietest.Options, change ...func(*opsgenie.Options)) *rig {
	t.Helper()
	server.JSM = jsm
	s := opsgenietest.New(server)
	opts := opsgenie.Options{
		URL: "http://fake", Instance: "test", HTTPClient: s.Client(),
		Severities: alarm.Severities{Values: []alarm.Severity{{Name: "critical", Priority: "P1"}, {Name: "warning", Priority: "P3"}}},
	}
	if jsm {
		opts.Backend = opsgenie.JiraServiceManagement
		opts.URL += opsgenietest.PathIntegration
		opts.Operations = opsgenie.Operations{
			URL: "http://fake" + opsgenietest.PathOperations, CloudID: "cloud", Email: "ops@example.org", Token: "token", TeamID: "team",
		}
	}
	for _, c := range change {
		c(&opts)
	}
	if opts.Account == nil {
		opts.Account = opsgenie.NewAccount(opsgenie.AccountOptions{})
	}
	c, err := opsgenie.New("key", opts)
	require.NoError(t, err)
	return &rig{t: t, jsm: jsm, server: s, client: c, opts: opts}
}

// anew is the client after a restart: it remembers nothing.
func (r *rig) anew() {
	c, err := opsgenie.New("key", r.opts)
	require.NoError(r.t, err)
	r.client = c
}

func sample(summary string) alarm.Alert {
	return alarm.Alert{
		Labels:      model.LabelSet{"alertname": "DiskFull", "instance": "db1", "severity": "critical"},
		Annotations: model.LabelSet{"summary": model.LabelValue(summary), "description": "It is full."},
		StartsAt:    time.Now().Add(-time.Minute), Fired: 1,
	}
}

// delivery tells of one alert under the key "one".
func delivery(action alarm.Action, summary string, data []byte) *alarm.Delivery {
	a := sample(summary)
	if action == alarm.Close {
		a.State, a.EndsAt = alarm.Resolved, time.Now()
	}
	return &alarm.Delivery{
		Intention: alarm.Intention{
			ID: 7, Key: alarm.IntentionKey{Receiver: "ops", Integration: "opsgenie[0]", Group: "one"},
			Action: action, At: time.Now(), Deadline: time.Now().Add(24 * time.Hour),
		},
		Now: time.Now(), Alerts: []alarm.Alert{a}, Data: data,
	}
}

const aliasOne = "test/ops/one"

// do delivers once.
func (r *rig) do(d *alarm.Delivery) ([]byte, error) {
	err := r.client.Deliver(r.t.Context(), d)
	return d.Data, err
}

// must delivers once and expects success.
func (r *rig) must(action alarm.Action, summary string, data []byte) []byte {
	r.t.Helper()
	data, err := r.do(delivery(action, summary, data))
	require.NoError(r.t, err)
	return data
}

// retry delivers until it is accepted or refused for good, as a Deliverer does.
func (r *rig) retry(d *alarm.Delivery) error {
	r.t.Helper()
	for range 50 {
		err := r.client.Deliver(r.t.Context(), d)
		var slow *notify.ThrottledError
		switch {
		case err == nil, errors.Is(err, notify.ErrRejected):
			return err
		case errors.As(err, &slow):
			time.Sleep(slow.After)
		default:
			time.Sleep(time.Second)
		}
	}
	r.t.Fatal("it never ends")
	return nil
}

// writes counts the requests that are no GET.
func (r *rig) writes() int {
	n := 0
	for _, q := range r.server.Requests() {
		if q.Method != http.MethodGet {
			n++
		}
	}
	return n
}

// A contractCase is one thing that must hold at both back ends.
type contractCase struct {
	name   string
	server opsgenietest.Options
	client func(*opsgenie.Options)
	run    func(t *testing.T, r *rig)
}

func TestContract(t *testing.T) {
	cases := slices.Concat(lifeCases(), faultCases(), quirkCases())
	require.GreaterOrEqual(t, len(cases), 25)
	for _, jsm := range []bool{false, true} {
		for _, c := range cases {
			t.Run(fmt.Sprintf("%s/%s", map[bool]string{false: "opsgenie", true: "jsm"}[jsm], c.name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var change []func(*opsgenie.Options)
					if c.client != nil {
						change = append(change, c.client)
					}
					c.run(t, newRig(t, jsm, c.server, change...))
				})
			})
		}
	}
}

func lifeCases() []contractCase {
	return []contractCase{
		{name: "open and close", run: func(t *testing.T, r *rig) {
			data := r.must(alarm.Add, "disk of db1 is full", nil)
			a, ok := r.server.Find(aliasOne)
			require.True(t, ok)
			assert.Equal(t, "disk of db1 is full", a.Message)
			assert.Equal(t, "It is full.", a.Description)
			assert.Equal(t, "P1", a.Priority)
			assert.Equal(t, "db1", a.Entity)
			assert.Equal(t, []string{"tocsin", "instance_test"}, a.Tags)
			assert.Equal(t, map[string]string{"alertname": "DiskFull", "instance": "db1", "severity": "critical"}, a.Details)
			r.must(alarm.Close, "", data)
			assert.Empty(t, r.server.Open())
		}},
		{name: "requests per change: two to open, two to close", run: func(t *testing.T, r *rig) {
			data := r.must(alarm.Add, "x", nil)
			assert.Len(t, r.server.Requests(), 2)
			r.must(alarm.Update, "x", data)
			assert.Len(t, r.server.Requests(), 2, "nothing changed")
			r.must(alarm.Close, "x", data)
			assert.Len(t, r.server.Requests(), 4)
		}},
		{name: "requests per change: two for each field", run: func(t *testing.T, r *rig) {
			data := r.must(alarm.Add, "disk is filling", nil)
			r.server.Forget()
			r.must(alarm.Update, "disk is full", data)
			assert.Len(t, r.server.Requests(), 2)
			a, _ := r.server.Find(aliasOne)
			assert.Equal(t, "disk is full", a.Message)
			assert.Equal(t, 1, a.Count)
		}},
		{name: "only numbers changed", run: func(t *testing.T, r *rig) {
			data := r.must(alarm.Add, "disk is 93.1 % full", nil)
			r.server.Forget()
			data = r.must(alarm.Update, "disk is 95 % full", data)
			assert.Empty(t, r.server.Requests())
			time.Sleep(10 * time.Minute)
			r.must(alarm.Update, "disk is 97.25 % full", data)
			a, _ := r.server.Find(aliasOne)
			assert.Equal(t, "disk is 97.25 % full", a.Message)
		}},
		{name: "priority, tags and details change", client: func(o *opsgenie.Options) {
			o.Content.Tags = []string{"{{ .Labels.tags }}"}
			o.Content.Details = map[string]string{"{{x}}": "", "runbook": "{{ .Annotations.runbook }}"}
		}, run: func(t *testing.T, r *rig) {
			d := delivery(alarm.Add, "x", nil)
			d.Alerts[0].Labels["tags"] = "a,b"
			d.Alerts[0].Annotations["runbook"] = "http://old"
			data, err := r.do(d)
			require.NoError(t, err)
			d = delivery(alarm.Update, "x", data)
			d.Alerts[0].Labels = model.LabelSet{"alertname": "DiskFull", "severity": "warning", "tags": "b,c", "extra": "1"}
			_, err = r.do(d)
			require.NoError(t, err)
			a, _ := r.server.Find(aliasOne)
			assert.Equal(t, "P3", a.Priority)
			assert.ElementsMatch(t, []string{"tocsin", "instance_test", "b", "c"}, a.Tags)
			assert.Equal(t, map[string]string{"alertname": "DiskFull", "severity": "warning", "tags": "b,c", "extra": "1"}, a.Details)
		}},
		{name: "a slow service is waited for", server: opsgenietest.Options{Delay: 5 * time.Second}, run: func(t *testing.T, r *rig) {
			start := time.Now()
			r.must(alarm.Add, "x", nil)
			assert.Len(t, r.server.Open(), 1)
			assert.Less(t, time.Since(start), 10*time.Second)
			assert.LessOrEqual(t, len(r.server.Requests()), 6)
		}},
		{name: "the same delivery twice opens once", run: func(t *testing.T, r *rig) {
			r.must(alarm.Add, "x", nil)
			r.anew()
			r.must(alarm.Add, "x", nil)
			require.Len(t, r.server.Alerts(), 1)
		}},
		{name: "an update of what was never told opens", run: func(t *testing.T, r *rig) {
			r.must(alarm.Update, "x", nil)
			assert.Len(t, r.server.Open(), 1)
		}},
		{name: "unreadable data opens anew under the same alias", run: func(t *testing.T, r *rig) {
			r.must(alarm.Add, "x", nil)
			r.must(alarm.Update, "x", []byte("{"))
			assert.Len(t, r.server.Alerts(), 1)
		}},
		{name: "closing what a person closed is done", run: func(t *testing.T, r *rig) {
			data := r.must(alarm.Add, "x", nil)
			r.server.Close(aliasOne, "ann")
			r.must(alarm.Close, "x", data)
			assert.Len(t, r.server.Alerts(), 1)
		}},
		{name: "closing what never was is done", run: func(t *testing.T, r *rig) {
			r.must(alarm.Close, "x", nil)
		}},
		{name: "an update of what a person closed opens nothing", run: func(t *testing.T, r *rig) {
			data := r.must(alarm.Add, "x", nil)
			r.server.Close(aliasOne, "ann")
			r.must(alarm.Update, "y", data)
			assert.Len(t, r.server.Alerts(), 1)
		}},
		{name: "opened again after a hand closed it", run: func(t *testing.T, r *rig) {
			data := r.must(alarm.Add, "x", nil)
			r.server.Close(aliasOne, "ann")
			d := delivery(alarm.Add, "x", data)
			d.Notes = []string{"Opened again: closed there by ann."}
			data, err := r.do(d)
			require.NoError(t, err)
			require.Len(t, r.server.Open(), 1)
			assert.Equal(t, d.Notes, r.server.Open()[0].Notes)
			r.must(alarm.Close, "x", data)
			assert.Empty(t, r.server.Open())
		}},
		{name: "notes are added and go with a close", run: func(t *testing.T, r *rig) {
			data := r.must(alarm.Add, "x", nil)
			r.server.Forget()
			d := delivery(alarm.Update, "x", data)
			d.Reason = notify.StillFiring
			d.Notes = []string{"It flaps: 6 changes in 15m."}
			d.Alerts[0].Fired, d.Alerts[0].StartsAt = 3, d.Now.Add(-4*time.Hour)
			data, err := r.do(d)
			require.NoError(t, err)
			assert.Len(t, r.server.Requests(), 4, "two for each note")
			a, _ := r.server.Find(aliasOne)
			assert.Equal(t, []string{"It flaps: 6 changes in 15m.", "Still firing after 4h0m, which began 3 times."}, a.Notes)
			again := delivery(alarm.Update, "x", data)
			again.Reason, again.Alerts[0].StartsAt = alarm.NotifyRepeat, again.Now.Add(-5*time.Hour)
			r.server.Forget()
			again.Data, err = r.do(again)
			require.NoError(t, err)
			assert.Empty(t, r.server.Requests(), "the intervals grow")
			again.Alerts[0].StartsAt = again.Now.Add(-8 * time.Hour)
			data, err = r.do(again)
			require.NoError(t, err)
			assert.Len(t, r.server.Requests(), 2)
			d = delivery(alarm.Close, "x", data)
			d.Notes, d.Reason = []string{"Explained by NodeDown[1234567]."}, "dependency"
			_, err = r.do(d)
			require.NoError(t, err)
			assert.Equal(t, "Explained by NodeDown[1234567].\ndependency", last(r.server.Alerts()[0].Notes))
		}},
		{name: "a group is one incident", run: func(t *testing.T, r *rig) {
			d := delivery(alarm.Add, "x", nil)
			second := sample("y")
			second.Labels = model.LabelSet{"alertname": "DiskFull", "instance": "db2", "severity": "warning"}
			d.Alerts = append(d.Alerts, second)
			_, err := r.do(d)
			require.NoError(t, err)
			a, _ := r.server.Find(aliasOne)
			assert.Equal(t, "[2] DiskFull", a.Message)
			assert.Equal(t, "P1", a.Priority)
			assert.Contains(t, a.Description, "- firing: db2 warning y")
		}},
	}
}

func last(items []string) string { return items[len(items)-1] }

// isStatus matches the polls of a request's outcome.
func isStatus(q *http.Request) bool { return strings.Contains(q.URL.Path, "/requests/") }
