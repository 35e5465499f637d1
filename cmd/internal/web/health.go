package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/cmd/internal/health"
	"github.com/tocsin/tocsin/discovery"
)

// Health says how the services of all environments are.
type Health interface {
	// Source gives what is known; nil says that nothing is asked.
	Source() health.Source

	// Quiet says which environments nobody uses.
	Quiet() health.Quiet

	// Aliases are names of services that mean the same.
	Aliases() discovery.Aliases
}

// A healthPage is any of the pages about health: facts, and tables below them.
type healthPage struct {
	Frame  frame
	Here   string // which of the pages
	At     when   // when what is shown was found out
	Stale  string // why it is old, if it is
	Since  when   // since when it is
	Notes  []string
	Facts  []healthFact
	Form   *healthForm // nil: there is nothing to choose
	Tables []healthTable
}

// A healthFact is one line above the tables.
type healthFact struct{ Name, Value string }

// A healthForm is what rows are chosen by.
type healthForm struct {
	Action             string
	Name               string // of a service, on its page
	Cluster, Query     string
	Activity, State    string
	Activities, States []string
	Chosen             bool // something is chosen
	Everything         string
}

// A healthTable is a table whose cells may lead somewhere.
type healthTable struct {
	Title   string
	Heads   []string
	Rows    []healthRow
	More    int    // rows that are not shown
	Nothing string // what it means that there are none
}

type healthRow struct {
	Tone  string // high, mid, low or plain
	Cells []healthCell
}

// A healthCell is text, a mark, or an instant.
type healthCell struct {
	Head string // of its column
	Text string
	URL  string
	Mark string // the class of a mark, or none
	When when
}

func healthPages() map[string]func(*healthAsk) (*healthPage, error) {
	return map[string]func(*healthAsk) (*healthPage, error){
		"health": failingPage, "environments": environmentsPage, "environment": environmentPage,
		"clusters": clustersPage, "services": servicesPage, "service": servicePage,
	}
}

// HealthPage says whether a page about health is at a path, behind the prefix.
func HealthPage(path string) bool { return healthPages()[path] != nil }

// healthRoutes are the pages about health.
func (h *handler) healthRoutes(mux *http.ServeMux) {
	if h.opts.Health == nil {
		return
	}
	for path, page := range healthPages() { // the order does not matter to a mux
		mux.HandleFunc("GET "+h.prefix+"/"+path, h.serveHealth(page))
	}
}

// A healthAsk is what a page about health is made from.
type healthAsk struct {
	ctx   context.Context //nolint:containedctx // it lives as long as the request
	now   time.Time
	query url.Values
	view  *cache.View
	quiet health.Quiet

	aliases discovery.Aliases
}

// errNothingThere is what a page returns for an environment or a service that is not known.
var errNothingThere = errors.New("it is not known: it was removed, or never there")

func (h *handler) serveHealth(page func(*healthAsk) (*healthPage, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		source := h.opts.Health.Source()
		if source == nil {
			h.serveMessage(w, r, http.StatusNotFound, "No health", "No service is asked how it is: tocsin.health is not configured.")
			return
		}
		now := time.Now()
		v, err := source.View(ctx, now)
		if err != nil {
			h.serveNoHealth(w, r, err)
			return
		}
		p, err := page(&healthAsk{ctx: ctx, now: now, query: r.URL.Query(), view: v, quiet: h.opts.Health.Quiet(), aliases: h.opts.Health.Aliases()})
		if errors.Is(err, errNothingThere) {
			h.serveMessage(w, r, http.StatusNotFound, "Not there", "There is no such environment or service: it was removed, or never there.")
			return
		}
		if err != nil {
			h.serveNoHealth(w, r, err)
			return
		}
		title := p.Frame.Title
		p.Frame = h.frame(r)
		p.Frame.Title, p.Frame.Here = title, "health"
		p.At = makeWhen(now, v.At)
		if v.Stale.Reason != "" || !v.Stale.Since.IsZero() {
			p.Stale, p.Since = clip(cmp.Or(v.Stale.Reason, "there was no refresh"), longText), makeWhen(now, v.Stale.Since)
		}
		h.render(w, r, http.StatusOK, "health", p)
	}
}

func (h *handler) serveNoHealth(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return
	}
	w.Header().Set("Retry-After", "5")
	if errors.Is(err, cache.ErrEmpty) {
		h.serveMessage(w, r, http.StatusServiceUnavailable, "Nothing is known yet", "The services are being asked for the first time. This says nothing about how they are.")
		return
	}
	h.log.Error("read health for a page", "path", r.URL.Path, "err", err)
	h.serveMessage(w, r, http.StatusServiceUnavailable, "No answer", "What is known of the services cannot be read at the moment. This says nothing about how they are.")
}

// form is what the rows of a page are chosen by, as the address says.
func (a *healthAsk) form(action string) *healthForm {
	f := &healthForm{
		Action: action, Cluster: a.query.Get("cluster"), Query: a.query.Get("q"), Activity: a.query.Get("activity"), State: a.query.Get("state"),
		Name: a.query.Get("name"), Activities: []string{"active", "passive"}, States: []string{"fail", "warn", "unknown", "ok"}, Everything: action,
	}
	f.Chosen = f.Cluster != "" || f.Query != "" || f.Activity != "" || f.State != ""
	if f.Name != "" {
		f.Everything = serviceLink(f.Name)
	}
	return f
}

func (f *healthForm) filter() health.Filter {
	return health.Filter{Cluster: f.Cluster, Role: f.Activity, State: f.State}
}

func environmentLink(k cache.Key) string {
	return "environment?" + url.Values{"cluster": {k.Cluster}, "namespace": {k.Namespace}}.Encode()
}

func serviceLink(name string) string { return "service?" + url.Values{"name": {name}}.Encode() }

func clusterLink(name string) string {
	return "environments?" + url.Values{"cluster": {name}}.Encode()
}

// toneOf is the colour of a state.
func toneOf(s discovery.State) string {
	switch s {
	case discovery.Fail:
		return "high"
	case discovery.Warn, discovery.Unknown:
		return "mid"
	default:
		return "plain"
	}
}

// stateCell is a state, for those who see no colours too.
func stateCell(s discovery.State) healthCell {
	mark := "mark"
	if s == discovery.Fail || s == discovery.Warn {
		mark = "mark loud"
	}
	return healthCell{Text: s.String(), Mark: mark}
}
