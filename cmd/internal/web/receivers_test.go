package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

// fakeReceivers say what they were told to say, and remember what was ordered.
type fakeReceivers struct {
	specs    []alarm.ReceiverSpec
	depths   []notify.Depth
	attempts []notify.LastAttempts
	letters  []alarm.DeadLetter
	orders   []alarm.DeadOrder
	err      error

	reconciled []Reconciled
	approved   string
}

func (f *fakeReceivers) Receivers() []alarm.ReceiverSpec { return f.specs }
func (f *fakeReceivers) Depths() []notify.Depth          { return f.depths }
func (f *fakeReceivers) Attempts() []notify.LastAttempts { return f.attempts }
func (f *fakeReceivers) Reconciled() []Reconciled        { return f.reconciled }

func (f *fakeReceivers) Approve(receiver string) bool {
	f.approved = receiver
	return len(f.reconciled) > 0 && receiver == f.reconciled[0].Receiver
}

func (f *fakeReceivers) DeadLetters(context.Context) ([]alarm.DeadLetter, error) {
	return f.letters, f.err
}

func (f *fakeReceivers) Revive(_ context.Context, o alarm.DeadOrder) (bool, error) {
	if f.err != nil {
		return false, f.err
	}
	for _, d := range f.letters {
		if d.Key == o.Key {
			f.orders = append(f.orders, o)
			return true, nil
		}
	}
	return false, nil
}

func hostileReceivers(evil string, fp model.Fingerprint) *fakeReceivers {
	return &fakeReceivers{
		specs:      []alarm.ReceiverSpec{{Name: evil, Fallback: evil, Integrations: []alarm.IntegrationSpec{{Name: evil}}}},
		attempts:   []notify.LastAttempts{{Receiver: evil, Integration: evil, Failed: now, Err: evil + "\u202e"}},
		reconciled: []Reconciled{{Receiver: evil, ReconcileStatus: notify.ReconcileStatus{Guarded: evil, Err: errors.New(evil)}}},
		letters: []alarm.DeadLetter{{
			Key: alarm.IntentionKey{Receiver: evil, Integration: evil, Group: fp.String()}, Err: evil + "\x1b", Fallback: evil,
			Labels: model.LabelSet{"alertname": model.LabelValue(evil)},
		}, {Key: alarm.IntentionKey{Receiver: evil, Integration: evil, Group: evil}}},
	}
}

func twoReceivers() *fakeReceivers {
	return &fakeReceivers{
		specs: []alarm.ReceiverSpec{
			{Name: "ops", Fallback: "mail", Integrations: []alarm.IntegrationSpec{{Name: "webhook[0]", SendResolved: true}, {Name: "incidents[0]", SendResolved: true, Level: true}}},
			{Name: "mail", Integrations: []alarm.IntegrationSpec{{Name: "email[0]"}}},
			{Name: "nobody"},
		},
		depths: []notify.Depth{{Receiver: "mail"}, {Receiver: "ops", Open: 3, Age: 7 * time.Minute}},
		attempts: []notify.LastAttempts{
			{Receiver: "ops", Integration: "incidents[0]", Accepted: now.Add(-time.Hour), Failed: now.Add(-time.Minute), Err: "503 <b>"},
			{Receiver: "ops", Integration: "webhook[0]", Accepted: now.Add(-time.Minute), Failed: now.Add(-time.Hour), Err: "timeout"},
		},
		letters: []alarm.DeadLetter{
			{Key: alarm.IntentionKey{Receiver: "ops", Integration: "incidents[0]", Group: "00000000000000aa"}, At: now.Add(-time.Hour), Attempts: 1, Err: "422", Fallback: "mail", Labels: model.LabelSet{"alertname": "DiskFull", "instance": "db1"}},
			{Key: alarm.IntentionKey{Receiver: "ops", Integration: "incidents[0]", Group: "{}:{}"}, Action: alarm.Close, At: now.Add(-time.Minute), Attempts: 9, Err: "not accepted in a day"},
		},
	}
}

func TestReceiversPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := get(t, newHandler(t, night(), Options{Receivers: twoReceivers()}), "/receivers?done=retried")
		require.Equal(t, http.StatusOK, w.Code)
		doc := parse(t, w)
		assert.Equal(t, "It is attempted again.", words(find(doc, "p", "said")[0]))
		var cards []string
		for _, c := range find(doc, "section", "card") {
			cards = append(cards, words(c))
		}
		assert.Equal(t, []string{
			"Given up 2 dead letters Refused for good, or not accepted in a day. Nothing of it is attempted again until somebody asks for it, the configuration changes, or something else is to be said of the alert. " +
				"ops incidents[0]: was not told of the end of {}:{}, after 9 attempts, 1999-12-31 23:59:00 UTC (1 min ago) not accepted in a day Try again Discard " +
				"ops incidents[0]: was not told of DiskFull on db1, after 1 attempt, 1999-12-31 23:00:00 UTC (1 h ago) 422 Told instead: mail Try again Discard",
			"ops its alerts 3 waiting, the oldest for 7 min 2 given up falls back to mail Integration Told of Last accepted Last error " +
				"webhook[0] groups 1999-12-31 23:59:00 UTC (1 min ago) 1999-12-31 23:00:00 UTC (1 h ago): timeout " +
				"incidents[0] each alert, at once 1999-12-31 23:00:00 UTC (1 h ago) failing 1999-12-31 23:59:00 UTC (1 min ago): 503 <b>",
			"mail its alerts nothing waits Integration Told of Last accepted Last error email[0] groups, not of their end not since the start none since the start",
			"nobody its alerts nothing waits It has no integrations: nobody is told.",
		}, cards)
	})
}

func TestReceiversPageOfNothing(t *testing.T) {
	text := words(parse(t, get(t, newHandler(t, night(), Options{Receivers: &fakeReceivers{}}), "/receivers")))
	assert.Contains(t, text, "Nothing was given up: there are no dead letters.")
	assert.Contains(t, text, "No receiver is configured.")
	assert.Equal(t, http.StatusNotFound, get(t, newHandler(t, night(), Options{}), "/receivers").Code, "nobody says how they stand")
	failing := newHandler(t, night(), Options{Receivers: &fakeReceivers{err: errors.New("disk on fire")}})
	assert.Equal(t, http.StatusServiceUnavailable, get(t, failing, "/receivers").Code)
}

// order posts what the form of a dead letter posts.
func order(t *testing.T, h http.Handler, target string, key alarm.IntentionKey, headers ...string) *httptest.ResponseRecorder {
	form := url.Values{"receiver": {key.Receiver}, "integration": {key.Integration}, "group": {key.Group}}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestDeadLettersAreRetriedAndDiscarded(t *testing.T) {
	f := twoReceivers()
	h := newHandler(t, night(), Options{Receivers: f, Prefix: "/tocsin"})
	key := f.letters[1].Key
	to := func(w *httptest.ResponseRecorder) string {
		assert.Equal(t, http.StatusSeeOther, w.Code)
		return reach(t, "/tocsin/receivers/retry", w.Header().Get("Location"))
	}
	assert.Equal(t, "/tocsin/receivers?done=retried", to(order(t, h, "/tocsin/receivers/retry", key)))
	assert.Equal(t, "/tocsin/receivers?done=discarded", to(order(t, h, "/tocsin/receivers/discard", key, "Sec-Fetch-Site", "same-origin")))
	assert.Equal(t, []alarm.DeadOrder{{Key: key}, {Key: key, Discard: true}}, f.orders)

	key.Group = "other"
	assert.Equal(t, "/tocsin/receivers?done=gone", to(order(t, h, "/tocsin/receivers/retry", key)))
	w := order(t, h, "/tocsin/receivers/discard", f.letters[0].Key, "Sec-Fetch-Site", "cross-site")
	assert.Equal(t, http.StatusForbidden, w.Code)
	assert.Contains(t, w.Body.String(), "A page of another origin may not order anything.")
	assert.Len(t, f.orders, 2, "what comes from elsewhere orders nothing")
	assert.Equal(t, http.StatusNotFound, get(t, h, "/tocsin/receivers/retry").Code)

	f.err = alarm.ErrStopped
	assert.Equal(t, http.StatusServiceUnavailable, order(t, h, "/tocsin/receivers/retry", key).Code)
}

func TestReconciliationIsApproved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeReceivers{
			specs: []alarm.ReceiverSpec{{Name: "ops"}, {Name: "new"}},
			reconciled: []Reconciled{
				{Receiver: "ops", ReconcileStatus: notify.ReconcileStatus{At: now.Add(-time.Minute), Drift: 40, Guarded: "40 of 50 would be closed"}},
				{Receiver: "new", ReconcileStatus: notify.ReconcileStatus{Err: errors.New("503")}},
			},
		}
		h := newHandler(t, night(), Options{Receivers: f})
		cards := find(parse(t, get(t, h, "/receivers")), "section", "card")
		require.Len(t, cards, 2)
		assert.Contains(t, words(cards[0]), "What is open there was compared with what fires, 1999-12-31 23:59:00 UTC (1 min ago): 40 differences guarded 40 of 50 would be closed Close them")
		assert.Contains(t, words(cards[1]), "What is open there was not yet compared with what fires. It fails: 503")
		assert.NotContains(t, words(cards[1]), "Close them")

		w := order(t, h, "/receivers/approve", alarm.IntentionKey{Receiver: "ops"})
		assert.Equal(t, "/receivers?done=approved", reach(t, "/receivers/approve", w.Header().Get("Location")))
		assert.Equal(t, "ops", f.approved)
		w = order(t, h, "/receivers/approve", alarm.IntentionKey{Receiver: "other"})
		assert.Equal(t, "/receivers?done=unknown", reach(t, "/receivers/approve", w.Header().Get("Location")))
		f.approved = ""
		assert.Equal(t, http.StatusForbidden, order(t, h, "/receivers/approve", alarm.IntentionKey{Receiver: "ops"}, "Sec-Fetch-Site", "cross-site").Code)
		assert.Empty(t, f.approved)
	})
}

func TestAnAlertShowsItsDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := night()
		r := e.groups[1].Alerts[0]
		fp := r.Alert.Fingerprint()
		e.explanations = map[model.Fingerprint]*alarm.Explanation{fp: {Reading: r}}
		e.past = e.explanations
		f := twoReceivers()
		f.letters[0].Key.Group = fp.String()
		h := newHandler(t, e, Options{Receivers: f})
		letters := find(parse(t, get(t, h, "/alert/"+fp.String())), "li", "letter")
		require.Len(t, letters, 1, "and no other's")
		assert.Contains(t, words(letters[0]), "was not told of DiskFull on db1")
		for _, form := range find(letters[0], "form", "") {
			assert.Contains(t, []string{"/receivers/retry", "/receivers/discard"}, reach(t, "/alert/"+fp.String(), attr(form, "action")))
		}
	})
}
