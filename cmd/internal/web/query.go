package web

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// The states that a list can be narrowed to. The empty one shows all.
const (
	stateAll      = ""
	stateFiring   = "firing"
	stateWithheld = "withheld"
	statePending  = "pending"
)

// A query is what the address of the alerts page asks for. Whatever it does not understand in it, it
// leaves out, but for the search: that is somebody's words.
type query struct {
	Text     string // the search as it was typed
	Receiver string // empty: all
	Team     string // empty: all; unowned: what nobody owns
	Cause    string // the fingerprint of the alert that explains what is asked for; empty: whatever explains it
	State    string
	Page     int // from 1

	search search
	owns   func(model.LabelSet) bool // whether an alert is the team's; nil: whoever owns it
	Err    error                     // why Text cannot be read
}

// unowned stands for a team in a query that asks for what no team owns.
const unowned = "!unowned"

func parseQuery(values url.Values) query {
	q := query{Text: strings.TrimSpace(values.Get("q")), Receiver: values.Get("receiver"), Team: values.Get("team"), State: values.Get("state"), Page: 1}
	if fp, err := model.ParseFingerprint(values.Get("cause")); err == nil {
		q.Cause = fp.String()
	}
	switch q.State {
	case stateFiring, stateWithheld, statePending:
	default:
		q.State = stateAll
	}
	if page, err := strconv.Atoi(values.Get("page")); err == nil && page > 1 {
		q.Page = page
	}
	q.search, q.Err = parseSearch(q.Text)
	return q
}

// narrowed says that the query leaves something out, whatever the state.
func (q query) narrowed() bool {
	return q.Receiver != "" || q.Team != "" || q.Cause != "" || !q.search.empty()
}

// finds says whether the query asks for an alert, whatever its receivers and its state.
func (q query) finds(a *alarm.Reading) bool {
	return (q.Cause == "" || explainedBy(a, q.Cause)) && q.search.finds(a.Alert) && (q.owns == nil || q.owns(a.Alert.Labels))
}

// link prints the query as a relative address below root.
func (q query) link(root string) string {
	values := url.Values{}
	set := func(name, value string) {
		if value != "" {
			values.Set(name, value)
		}
	}
	set("q", q.Text)
	set("receiver", q.Receiver)
	set("team", q.Team)
	set("cause", q.Cause)
	set("state", q.State)
	if q.Page > 1 {
		set("page", strconv.Itoa(q.Page))
	}
	if len(values) == 0 {
		return root
	}
	return root + "?" + values.Encode()
}

func (q query) inState(state string) query {
	q.State, q.Page = state, 1
	return q
}

func (q query) onPage(page int) query {
	q.Page = page
	return q
}

// withTerm adds a matcher to the search, once.
func (q query) withTerm(t string) query {
	if !strings.Contains(q.Text, t) {
		q.Text = strings.TrimSpace(unbraced(q.Text) + " " + t)
	}
	q.Page = 1
	return q
}
