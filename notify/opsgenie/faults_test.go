package opsgenie_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/opsgenie"
	"github.com/tocsin/tocsin/notify/opsgenie/opsgenietest"
)

// heals says that whatever fails, the incident is opened once and closed, and notes come once.
func heals(name string, fault opsgenietest.Fault) contractCase {
	return contractCase{name: name, run: func(t *testing.T, r *rig) {
		r.server.Inject(fault)
		d := delivery(alarm.Add, "x", nil)
		require.NoError(t, r.retry(d))
		require.Len(t, r.server.Open(), 1)

		r.server.Inject(fault)
		u := delivery(alarm.Update, "y", d.Data)
		require.NoError(t, r.retry(u))
		require.Equal(t, "y", r.server.Open()[0].Message)

		r.server.Inject(fault)
		require.NoError(t, r.retry(delivery(alarm.Close, "y", u.Data)))
		assert.Empty(t, r.server.Open())
		assert.Len(t, r.server.Alerts(), 1)
	}}
}

// refused says that an answer is never retried.
func refused(name string, status int, says string) contractCase {
	return contractCase{name: name, run: func(t *testing.T, r *rig) {
		r.server.Inject(opsgenietest.Fault{Status: status, Match: opsgenietest.Writes, Header: http.Header{"Location": {"http://fake/elsewhere"}}, Body: `{"message":"no","errors":{"message":"too odd"},"code":40301}`})
		_, err := r.do(delivery(alarm.Add, "x", nil))
		require.ErrorIs(t, err, notify.ErrRejected)
		assert.ErrorContains(t, err, says)
		var api *opsgenie.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, &opsgenie.APIError{Status: status, Code: 40301, Message: "no", Fields: map[string]string{"message": "too odd"}}, api)
		assert.Len(t, r.server.Requests(), 1)
	}}
}

func faultCases() []contractCase {
	onlyWrites := opsgenietest.Writes
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	return []contractCase{
		heals("503 to a write", opsgenietest.Fault{Kind: opsgenietest.Refuse, Times: 3, Match: onlyWrites}),
		heals("500 to a poll", opsgenietest.Fault{Kind: opsgenietest.Refuse, Status: 500, Times: 2, Match: isStatus}),
		heals("a proxy's page to a poll", opsgenietest.Fault{Kind: opsgenietest.Refuse, Status: 200, Body: "<html>", Times: 2, Match: isStatus}),
		heals("a proxy's page to a write", opsgenietest.Fault{Kind: opsgenietest.Refuse, Status: 202, Body: "<html>", Times: 2, Match: onlyWrites}),
		heals("the network is lost", opsgenietest.Fault{Kind: opsgenietest.Lose, Times: 5}),
		heals("the answer to a write is reset, and it was done", opsgenietest.Fault{Kind: opsgenietest.DoAndDrop, Times: 1, Match: onlyWrites}),
		heals("the answer to a write breaks off", opsgenietest.Fault{Kind: opsgenietest.DoAndCut, Times: 2, Match: onlyWrites}),
		heals("the answer to a poll breaks off", opsgenietest.Fault{Kind: opsgenietest.DoAndCut, Times: 2, Match: isStatus}),
		heals("accepted, then failed", opsgenietest.Fault{Kind: opsgenietest.FailLater, Times: 2, Match: onlyWrites}),
		{name: "accepted, then lost by the service", run: func(t *testing.T, r *rig) {
			r.server.Inject(opsgenietest.Fault{Kind: opsgenietest.Forget, Times: 1, Match: onlyWrites})
			d := delivery(alarm.Add, "x", nil)
			start := time.Now()
			require.NoError(t, r.retry(d))
			assert.Len(t, r.server.Open(), 1)
			assert.Less(t, time.Since(start), 2*time.Minute)
			r.server.Inject(opsgenietest.Fault{Kind: opsgenietest.Forget, Times: 1, Match: onlyWrites})
			require.NoError(t, r.retry(delivery(alarm.Close, "x", d.Data)))
			assert.Empty(t, r.server.Open())
			assert.Len(t, r.server.Alerts(), 1)
		}},
		refused("400", 400, "400 Bad Request"),
		refused("401 names the key", 401, "is the key right"),
		refused("402 names the plan", 402, "the plan does not include it"),
		refused("403 names the right", 403, "the key lacks a right"),
		refused("422 names the field", 422, "message: too odd"),
		refused("a redirect is not followed", 302, "302 Found"),
		{name: "429 by the bucket's period", run: func(t *testing.T, r *rig) {
			r.server.Inject(opsgenietest.Fault{Status: 429, Times: 1, Header: header("X-RateLimit-State", "THROTTLED", "X-RateLimit-Period-In-Sec", "60")})
			_, err := r.do(delivery(alarm.Add, "x", nil))
			var slow *notify.ThrottledError
			require.ErrorAs(t, err, &slow)
			assert.Equal(t, time.Minute, slow.After)
			assert.NotErrorIs(t, err, notify.ErrRejected)

			time.Sleep(10 * time.Second)
			r.anew() // another client of the same account
			_, err = r.do(delivery(alarm.Add, "x", nil))
			require.ErrorAs(t, err, &slow)
			assert.Equal(t, 50*time.Second, slow.After)
			assert.Len(t, r.server.Requests(), 1, "while it is refused nothing is sent")
			time.Sleep(50 * time.Second)
			r.must(alarm.Add, "x", nil)
		}},
		{name: "429 by Retry-After", run: func(t *testing.T, r *rig) {
			r.server.Inject(opsgenietest.Fault{Status: 429, Times: 1, Header: header("Retry-After", "7", "X-RateLimit-Period-In-Sec", "60")})
			_, err := r.do(delivery(alarm.Add, "x", nil))
			var slow *notify.ThrottledError
			require.ErrorAs(t, err, &slow)
			assert.Equal(t, 7*time.Second, slow.After)
		}},
		{name: "429 to a poll is waited for", run: func(t *testing.T, r *rig) {
			r.server.Inject(opsgenietest.Fault{Status: 429, Times: 1, Match: isStatus, Header: header("X-RateLimit-Period-In-Sec", "1")})
			r.must(alarm.Add, "x", nil)
			assert.Equal(t, 1, r.writes())
		}},
		{name: "503 with Retry-After", run: func(t *testing.T, r *rig) {
			r.server.Inject(opsgenietest.Fault{Status: 503, Times: 1, Header: header("Retry-After", "90")})
			_, err := r.do(delivery(alarm.Add, "x", nil))
			var slow *notify.ThrottledError
			require.ErrorAs(t, err, &slow)
			assert.Equal(t, 90*time.Second, slow.After)
		}},
		{name: "done, and the answer never comes", run: func(t *testing.T, r *rig) {
			r.server.Inject(opsgenietest.Fault{Kind: opsgenietest.DoAndHang, Times: 1, Match: onlyWrites})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			d := delivery(alarm.Add, "x", nil)
			require.ErrorIs(t, r.client.Deliver(ctx, d), context.DeadlineExceeded)
			require.NoError(t, r.retry(d))
			assert.Len(t, r.server.Alerts(), 1)
		}},
		{name: "an attempt ends while it is queued, the next one follows it", server: opsgenietest.Options{Delay: time.Minute}, run: func(t *testing.T, r *rig) {
			data := []byte(nil)
			d := delivery(alarm.Add, "x", nil)
			require.NoError(t, r.retry(d))
			assert.Equal(t, 1, r.writes(), "one create for all attempts")
			data = d.Data
			r.server.Forget()
			d = delivery(alarm.Update, "x", data)
			d.Notes = []string{"only once"}
			require.NoError(t, r.retry(d))
			assert.Equal(t, []string{"only once"}, r.server.Open()[0].Notes)
			assert.Equal(t, 1, r.writes())
		}},
		{name: "the second of two notes fails: the first is not repeated", run: func(t *testing.T, r *rig) {
			data := r.must(alarm.Add, "x", nil)
			n := 0
			r.server.Inject(opsgenietest.Fault{Kind: opsgenietest.Refuse, Times: 1, Match: func(q *http.Request) bool {
				if strings.HasSuffix(q.URL.Path, "/notes") {
					n++
				}
				return n == 2
			}})
			d := delivery(alarm.Update, "x", data)
			d.Notes = []string{"first", "second"}
			require.NoError(t, r.retry(d))
			assert.Equal(t, []string{"first", "second"}, r.server.Open()[0].Notes)
		}},
		{name: "our own bucket", client: func(o *opsgenie.Options) {
			o.Account = opsgenie.NewAccount(opsgenie.AccountOptions{Alert: 1, AlertBurst: 1})
		}, run: func(t *testing.T, r *rig) {
			start := time.Now()
			r.must(alarm.Add, "x", nil)
			assert.GreaterOrEqual(t, time.Since(start), time.Second, "two requests at one a second")
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := r.client.Deliver(ctx, delivery(alarm.Add, "x", nil))
			var slow *notify.ThrottledError
			require.ErrorAs(t, err, &slow, "beyond the deadline it does not wait")
		}},
		{name: "a storm stays within the service's limit", server: opsgenietest.Options{AlertsPerMinute: 60}, client: func(o *opsgenie.Options) {
			o.Account = opsgenie.NewAccount(opsgenie.AccountOptions{Alert: .9, AlertBurst: 10})
		}, run: func(t *testing.T, r *rig) {
			for range 60 {
				r.must(alarm.Add, "x", nil)
			}
			for _, q := range r.server.Requests() {
				assert.NotEqual(t, 429, q.Status)
			}
		}},
		{name: "a key that may not read", server: opsgenietest.Options{WriteOnly: true}, run: func(t *testing.T, r *rig) {
			r.must(alarm.Add, "x", nil)
			assert.Len(t, r.server.Open(), 1)
		}},
		{name: "a wrong key", client: func(o *opsgenie.Options) { o.User = "x" }, run: func(t *testing.T, r *rig) {
			opts := r.opts
			c, err := opsgenie.New("other", opts)
			require.NoError(t, err)
			err = c.Deliver(t.Context(), delivery(alarm.Add, "x", nil))
			require.ErrorIs(t, err, notify.ErrRejected)
			assert.NotContains(t, err.Error(), "other", "secrets are not printed")
			var reason *notify.ReasonError
			require.ErrorAs(t, err, &reason)
			assert.Equal(t, notify.FailureAuth, reason.Reason)
		}},
	}
}

func quirkCases() []contractCase {
	life := func(t *testing.T, r *rig) {
		d := delivery(alarm.Add, "x", nil)
		require.NoError(t, r.retry(d))
		require.Len(t, r.server.Open(), 1)
		u := delivery(alarm.Update, "y", d.Data)
		u.Notes = []string{"a note"}
		require.NoError(t, r.retry(u))
		require.Len(t, r.server.Open(), 1)
		assert.Equal(t, "y", r.server.Open()[0].Message)
		assert.Equal(t, []string{"a note"}, r.server.Open()[0].Notes)
		require.NoError(t, r.retry(delivery(alarm.Close, "y", u.Data)))
		require.NoError(t, r.retry(delivery(alarm.Close, "y", nil)), "closing twice")
		assert.Empty(t, r.server.Open())
		assert.Len(t, r.server.Alerts(), 1)
	}
	var cases []contractCase
	for name, quirks := range map[string]opsgenietest.Quirks{
		"requests are done in another order":            {SwapOrder: true},
		"a queued request's 404 does not say so":        {PlainQueue: true},
		"there is no request status":                    {NoStatus: true},
		"an integration rewrites aliases":               {RewriteAlias: "team-a: "},
		"over-long fields are cut":                      {CutSilently: true},
		"acts on what is closed are 404":                {SyncNotFound: true},
		"the status says already closed":                {ClosedText: "Alert is already closed."},
		"over the limit requests are slow, not 429":     {Delayed: true},
		"the outcome of a request is forgotten at once": {ForgetsStatus: time.Millisecond},
	} {
		cases = append(cases, contractCase{name: name, server: opsgenietest.Options{Quirks: quirks, Delay: 100 * time.Millisecond}, run: life})
	}
	return cases
}
