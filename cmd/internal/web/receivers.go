package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

// Receivers says how the receivers stand, and keeps the dead letters.
type Receivers interface {
	// Receivers returns those of the configuration in force, in its order.
	Receivers() []alarm.ReceiverSpec

	// Depths returns what waits for each of them, and Attempts how the last attempts at each of their
	// integrations ended; both in any order.
	Depths() []notify.Depth
	Attempts() []notify.LastAttempts

	// DeadLetters lists what was given up, and Revive attempts one again or takes it off the list. It
	// returns false if there is none.
	DeadLetters(ctx context.Context) ([]alarm.DeadLetter, error)
	Revive(ctx context.Context, order alarm.DeadOrder) (bool, error)

	// Reconciled says how the comparisons with remotes that keep incidents stand. Approve lets the next one
	// of a receiver close more than its guard lets through; it returns false if there is none.
	Reconciled() []Reconciled
	Approve(receiver string) bool
}

// Reconciled is how the comparison of what fires with what is open at a receiver's remote stands.
type Reconciled struct {
	Receiver string
	notify.ReconcileStatus
}

// A receiversPage says how each receiver stands.
type receiversPage struct {
	Frame     frame
	Said      string // what was just done
	Receivers []receiverView
	More      int // receivers that are not shown
	Letters   []letterView
	Dead      int // dead letters, shown or not
}

// A receiverView is one receiver.
type receiverView struct {
	Name         string
	ID           string // unique in the page
	URL          string // its alerts
	Waiting      int
	Oldest       string // for how long the oldest waits
	Fallback     string
	Dead         int
	Reconciled   *reconciledView // nil: nothing is compared
	Integrations []integrationView
}

// A reconciledView is how a receiver's incidents compare with what fires.
type reconciledView struct {
	Receiver string // whole
	At       when
	Drift    int
	Err      string
	Guarded  string
	Approve  string // where to
}

// An integrationView is one integration of a receiver.
type integrationView struct {
	Name     string
	Level    bool // told of each alert by itself
	Resolved bool // told of ends
	Accepted when
	Failed   when
	Err      string
	Failing  bool // the last attempt failed
}

// A letterView is one dead letter.
type letterView struct {
	Key         alarm.IntentionKey
	ID          string
	Receiver    string
	Integration string
	Words       string // what was to be done there
	Title       string // of the alert
	URL         string
	At          when
	Attempts    int
	Err         string
	Fallback    string
	Retry       string
	Discard     string
}

// How many receivers, and how many dead letters, the page shows.
const (
	manyReceivers = 500
	manyLetters   = 200
)

// receiversRoutes are the page of that name, and what its forms do. A form of another origin is refused.
func (h *handler) receiversRoutes(mux *http.ServeMux) {
	if h.opts.Receivers == nil {
		return
	}
	root := h.prefix + "/receivers"
	mux.HandleFunc("GET "+root, h.serveReceivers)
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.serveMessage(w, r, http.StatusForbidden, "Not from here", "A page of another origin may not order anything. Open this server itself.")
	}))
	mux.Handle("POST "+root+"/retry", origin.Handler(h.orderLetter(false)))
	mux.Handle("POST "+root+"/discard", origin.Handler(h.orderLetter(true)))
	mux.Handle("POST "+root+"/approve", origin.Handler(http.HandlerFunc(h.approve)))
}

// saidWords are for what a form did, by the word that the redirect carries.
func saidWords(done string) string {
	switch done {
	case "retried":
		return "It is attempted again."
	case "discarded":
		return "It was taken off the list."
	case "gone":
		return "There is no such dead letter any more: it was told meanwhile, or discarded."
	case "approved":
		return "What nothing fires for is closed now."
	case "unknown":
		return "Nothing is compared for that receiver any more."
	default:
		return ""
	}
}

func (h *handler) serveReceivers(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	letters, err := h.opts.Receivers.DeadLetters(ctx)
	if err != nil {
		h.serveTrouble(w, r, err)
		return
	}
	page := receiversOverview(time.Now(), h.opts.Receivers, letters, h.frame(r))
	page.Said = saidWords(r.URL.Query().Get("done"))
	h.render(w, r, http.StatusOK, "receivers", page)
}

// orderLetter has the dead letter that the form names attempted again, or takes it off the list.
func (h *handler) orderLetter(discard bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		form, ok := h.form(w, r)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		key := alarm.IntentionKey{Receiver: form.Get("receiver"), Integration: form.Get("integration"), Group: form.Get("group")}
		found, err := h.opts.Receivers.Revive(ctx, alarm.DeadOrder{Key: key, Discard: discard})
		switch {
		case err != nil:
			h.serveTrouble(w, r, err)
		case !found:
			h.back(w, "../receivers", "gone")
		case discard:
			h.back(w, "../receivers", "discarded")
		default:
			h.back(w, "../receivers", "retried")
		}
	}
}

// approve lets the receiver that the form names close what its guard holds back.
func (h *handler) approve(w http.ResponseWriter, r *http.Request) {
	form, ok := h.form(w, r)
	if !ok {
		return
	}
	if h.opts.Receivers.Approve(form.Get("receiver")) {
		h.back(w, "../receivers", "approved")
	} else {
		h.back(w, "../receivers", "unknown")
	}
}

// receiversOverview makes the page: receivers in the configuration's order, dead letters the newest first.
func receiversOverview(now time.Time, rs Receivers, letters []alarm.DeadLetter, f frame) receiversPage {
	f.Title = "Receivers"
	p := receiversPage{Frame: f, Dead: len(letters)}
	depths, attempts, dead := map[string]notify.Depth{}, map[[2]string]notify.LastAttempts{}, map[string]int{}
	for _, d := range rs.Depths() {
		depths[d.Receiver] = d
	}
	for _, a := range rs.Attempts() {
		attempts[[2]string{a.Receiver, a.Integration}] = a
	}
	for i := range letters {
		dead[letters[i].Key.Receiver]++
	}
	compared := map[string]*reconciledView{}
	for _, r := range rs.Reconciled() {
		compared[r.Receiver] = reconciledViewOf(now, r, f.Root)
	}
	specs := rs.Receivers()
	for _, spec := range specs[:min(len(specs), manyReceivers)] {
		v := receiverView{
			Name: clip(spec.Name, shortText), ID: "r" + shortID(spec.Name), URL: query{Receiver: spec.Name}.link(f.Root),
			Waiting: depths[spec.Name].Open, Fallback: clip(spec.Fallback, shortText), Dead: dead[spec.Name],
			Reconciled: compared[spec.Name],
		}
		if v.Waiting > 0 {
			v.Oldest = age(depths[spec.Name].Age)
		}
		for _, is := range spec.Integrations {
			v.Integrations = append(v.Integrations, integrationViewOf(now, is, attempts[[2]string{spec.Name, is.Name}]))
		}
		p.Receivers = append(p.Receivers, v)
	}
	p.More = len(specs) - len(p.Receivers)
	letters = slices.Clone(letters)
	slices.SortStableFunc(letters, func(a, b alarm.DeadLetter) int { return b.At.Compare(a.At) })
	p.Letters = letterViews(now, letters[:min(len(letters), manyLetters)], f.Root)
	return p
}

func reconciledViewOf(now time.Time, r Reconciled, root string) *reconciledView {
	v := &reconciledView{
		Receiver: r.Receiver, At: makeWhen(now, r.At), Drift: r.Drift, Guarded: clip(r.Guarded, longText), Approve: root + "receivers/approve",
	}
	if r.Err != nil {
		v.Err = clip(r.Err.Error(), longText)
	}
	return v
}

func integrationViewOf(now time.Time, is alarm.IntegrationSpec, last notify.LastAttempts) integrationView {
	return integrationView{
		Name: clip(is.Name, shortText), Level: is.Level, Resolved: is.SendResolved,
		Accepted: makeWhen(now, last.Accepted), Failed: makeWhen(now, last.Failed), Err: clip(last.Err, longText),
		Failing: last.Failed.After(last.Accepted),
	}
}

// lettersOf are the dead letters of one alert.
func (h *handler) lettersOf(ctx context.Context, fp model.Fingerprint) ([]alarm.DeadLetter, error) {
	if h.opts.Receivers == nil {
		return nil, nil
	}
	all, err := h.opts.Receivers.DeadLetters(ctx)
	return slices.DeleteFunc(all, func(d alarm.DeadLetter) bool { return d.Key.Group != fp.String() }), err
}

func letterViews(now time.Time, letters []alarm.DeadLetter, root string) []letterView {
	var views []letterView
	for i := range letters {
		d := &letters[i]
		v := letterView{
			Key: d.Key, ID: "d" + shortID(d.Key.String()), Receiver: clip(d.Key.Receiver, shortText), Integration: clip(d.Key.Integration, shortText),
			Title: clip(d.Key.Group, shortText), At: makeWhen(now, d.At), Attempts: d.Attempts, Err: clip(d.Err, longText),
			Fallback: clip(d.Fallback, shortText), Retry: root + "receivers/retry", Discard: root + "receivers/discard",
		}
		v.Words = map[alarm.Action]string{alarm.Add: "was not told of", alarm.Update: "was not told of a change of", alarm.Close: "was not told of the end of"}[d.Action]
		if fp, err := model.ParseFingerprint(d.Key.Group); err == nil && fp.String() == d.Key.Group {
			v.URL = alertLink(root, fp)
		} else {
			v.URL = query{Receiver: d.Key.Receiver}.link(root)
		}
		if len(d.Labels) > 0 {
			v.Title = cmp.Or(alertTitle(&alarm.Alert{Labels: d.Labels}), v.Title)
		}
		views = append(views, v)
	}
	return views
}
