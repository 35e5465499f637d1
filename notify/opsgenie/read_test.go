package opsgenie_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/notifytest"
	"github.com/tocsin/tocsin/notify/opsgenie"
	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

// everywhere runs a test at both back ends.
func everywhere(t *testing.T, server opsgenietest.Options, run func(t *testing.T, r *rig)) {
	t.Helper()
	for _, jsm := range []bool{false, true} {
		t.Run(map[bool]string{false: "opsgenie", true: "jsm"}[jsm], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(t, newRig(t, jsm, server)) })
		})
	}
}

func TestReceiverContract(t *testing.T) {
	for _, jsm := range []bool{false, true} {
		r := newRig(t, jsm, opsgenietest.Options{}, func(o *opsgenie.Options) {
			o.Follow.First = time.Millisecond
			o.Account = opsgenie.NewAccount(opsgenie.AccountOptions{Alert: 1e6, AlertBurst: 1000})
		})
		notifytest.ExerciseReceiver(t, r.client)
	}
}

func put(s *opsgenietest.Server, n int, change func(i int, a *opsgenietest.Alert)) {
	for i := range n {
		a := opsgenietest.Alert{Alias: fmt.Sprintf("test/ops/%d", i), Message: "m", Tags: []string{"tocsin", "instance_test"}}
		if change != nil {
			change(i, &a)
		}
		s.Put(a)
	}
}

func TestListPages(t *testing.T) {
	everywhere(t, opsgenietest.Options{}, func(t *testing.T, r *rig) {
		put(r.server, 250, nil)
		put(r.server, 30, func(i int, a *opsgenietest.Alert) { a.Alias = fmt.Sprint("b", i); a.Tags = []string{"tocsin"} })
		put(r.server, 30, func(i int, a *opsgenietest.Alert) { a.Alias = fmt.Sprint("c", i); a.Tags = nil })
		r.server.Close("test/ops/7", "ann")
		r.server.Acknowledge("test/ops/8", "bob")
		got, err := r.client.List(t.Context())
		require.NoError(t, err)
		assert.Len(t, r.server.Requests(), 3)
		assert.Len(t, got, 249)
		for _, in := range got {
			assert.True(t, in.Ours && in.Open && in.Alias != "test/ops/7")
			if in.Alias == "test/ops/8" {
				assert.True(t, in.Acknowledged)
				assert.Equal(t, "bob", in.AcknowledgedBy)
			}
		}
	})
}

// Offsets end at 20,000; what is beyond is found all the same.
func TestListBeyondTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, false, opsgenietest.Options{})
		start := time.Now().Add(-24 * time.Hour)
		put(r.server, 20100, func(i int, a *opsgenietest.Alert) {
			a.CreatedAt = start.Add(time.Duration(i/3) * time.Millisecond)
		})
		got, err := r.client.List(t.Context())
		require.NoError(t, err)
		assert.Len(t, got, 20100)
	})
}

// Whatever the search makes of the query, nothing that is not ours is listed.
func TestListTrustsNoSearch(t *testing.T) {
	everywhere(t, opsgenietest.Options{Quirks: opsgenietest.Quirks{LooseSearch: true}}, func(t *testing.T, r *rig) {
		put(r.server, 3, nil)
		put(r.server, 3, func(i int, a *opsgenietest.Alert) {
			a.Alias = fmt.Sprint("other/", i)
			a.Tags = []string{"tocsin", "instance_other"}
		})
		got, err := r.client.List(t.Context())
		require.NoError(t, err)
		assert.Len(t, got, 3)
	})
}

func TestListFails(t *testing.T) {
	everywhere(t, opsgenietest.Options{}, func(t *testing.T, r *rig) {
		put(r.server, 150, nil)
		n := 0
		second := func(*http.Request) bool { n++; return n%2 == 0 }
		for _, f := range []opsgenietest.Fault{
			{Status: 500, Match: second, Times: 1},
			{Status: 200, Body: `{}`, Match: second, Times: 1},
			{Status: 200, Body: `{"data":null}`, Match: second, Times: 1},
			{Status: 200, Body: `<html>`, Match: second, Times: 1},
			{Kind: opsgenietest.DoAndCut, Match: second, Times: 1},
		} {
			n = 0
			r.server.Inject(f)
			got, err := r.client.List(t.Context())
			assert.Error(t, err, "half a list is none: %v", f)
			assert.Nil(t, got)
		}
	})
}

func TestRead(t *testing.T) {
	everywhere(t, opsgenietest.Options{}, func(t *testing.T, r *rig) {
		data := r.must(alarm.Add, "x", nil)
		r.server.Forget()
		in, err := r.client.Read(t.Context(), aliasOne, data)
		require.NoError(t, err)
		assert.True(t, in.Open && in.Ours)
		assert.Len(t, r.server.Requests(), 1)

		time.Sleep(time.Hour)
		r.server.Close(aliasOne, "ann")
		in, err = r.client.Read(t.Context(), aliasOne, data)
		require.NoError(t, err)
		assert.False(t, in.Open)
		assert.Equal(t, "ann", in.ClosedBy)
		assert.WithinDuration(t, time.Now(), in.ClosedAt, time.Second)

		in, err = r.client.Read(t.Context(), aliasOne, nil)
		require.NoError(t, err)
		assert.Equal(t, notify.Incident{Alias: aliasOne, Ours: true}, in, "closed, and nobody knows more")
		r.server.Inject(opsgenietest.Fault{Times: 1})
		_, err = r.client.Read(t.Context(), aliasOne, data)
		assert.ErrorContains(t, err, "503")
	})
}

func TestCloseByID(t *testing.T) {
	everywhere(t, opsgenietest.Options{}, func(t *testing.T, r *rig) {
		put(r.server, 1, nil)
		before, err := r.client.List(t.Context())
		require.NoError(t, err)
		r.server.Close("test/ops/0", "ann")
		put(r.server, 1, nil)
		require.NoError(t, r.client.Close(t.Context(), before[0], "note"))
		assert.Len(t, r.server.Open(), 1, "the one that was opened meanwhile stays")
		after, err := r.client.List(t.Context())
		require.NoError(t, err)
		require.NoError(t, r.client.Close(t.Context(), after[0], "note"))
		assert.Empty(t, r.server.Open())
		assert.Equal(t, []string{"note"}, r.server.Alerts()[1].Notes)
	})
}

func TestListAlertmanager(t *testing.T) {
	everywhere(t, opsgenietest.Options{}, func(t *testing.T, r *rig) {
		key := `{}:{alertname="DiskFull"}`
		put(r.server, 2, nil)
		r.server.Put(opsgenietest.Alert{Alias: opsgenie.AlertmanagerAlias(key), Message: "[FIRING:1] DiskFull"})
		r.server.Put(opsgenietest.Alert{Alias: "of some tool", Message: "x"})
		got, err := r.client.ListAlertmanager(t.Context())
		require.NoError(t, err)
		require.Len(t, got, 1)
		assert.Equal(t, opsgenie.AlertmanagerAlias(key), got[0].Alias)
	})
}

// Without the Operations API a JSM client opens, closes and notes.
func TestJSMWithoutOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, true, opsgenietest.Options{}, func(o *opsgenie.Options) { o.Operations = opsgenie.Operations{} })
		data := r.must(alarm.Add, "x", nil)
		data = r.must(alarm.Update, "y", data)
		assert.Equal(t, []string{"Now: y"}, r.server.Open()[0].Notes, "what cannot be changed in place becomes a note")
		_, err := r.client.List(t.Context())
		assert.ErrorIs(t, err, opsgenie.ErrNoOperations)
		_, err = r.client.Heartbeat(t.Context(), "x")
		assert.ErrorIs(t, err, opsgenie.ErrNoOperations)
		r.must(alarm.Close, "y", data)
		assert.Empty(t, r.server.Open())
	})
}

func TestAskLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, false, opsgenietest.Options{AlertsPerMinute: 30, SearchesPerMinute: 600})
		require.NoError(t, r.client.AskLimits(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		for range 20 {
			require.NoError(t, r.client.Deliver(ctx, delivery(alarm.Add, "x", nil)))
		}
		for _, q := range r.server.Requests() {
			assert.NotEqual(t, 429, q.Status)
		}
	})
}

func TestWebhook(t *testing.T) {
	r := newRig(t, false, opsgenietest.Options{})
	var hints []string
	h := r.client.Webhook(func(alias string) { hints = append(hints, alias) })
	post := func(body string) int {
		w := &answer{}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/hook", strings.NewReader(body))
		require.NoError(t, err)
		h.ServeHTTP(w, req)
		return w.code
	}
	const ours = `"tags":["tocsin","instance_test"],"alias":"test/ops/one","alertId":"1","username":"ann","updatedAt":1700000000000`
	assert.Equal(t, 202, post(`{"action":"Close","alert":{`+ours+`}}`))
	assert.Equal(t, 202, post(`{"action":"AddNote","alert":{`+ours+`}}`))
	assert.Equal(t, 202, post(`{"action":"Close","alert":{"alias":"test/ops/one"}}`), "without our tags")
	assert.Equal(t, 400, post(`{"action":"Close"}`))
	assert.Equal(t, 400, post(`{"action":"Close","alert":{`+strings.Repeat(" ", 2<<20)+`}}`))
	assert.Equal(t, []string{"test/ops/one"}, hints)

	e, err := opsgenie.ParseWebhook([]byte(`{"action":"Acknowledge","alert":{` + ours + `}}`))
	require.NoError(t, err)
	assert.Equal(t, opsgenie.Event{
		Action: "Acknowledge", AlertID: "1", Alias: "test/ops/one", Tags: []string{"tocsin", "instance_test"}, By: "ann",
		At: time.UnixMilli(1700000000000).UTC(),
	}, e)
}

// answer is a response writer that keeps the status.
type answer struct {
	header http.Header
	code   int
}

func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

func (a *answer) Write(b []byte) (int, error) { return len(b), nil }
func (a *answer) WriteHeader(code int)        { a.code = code }
