package web

import (
	"net/url"
	"strconv"
	"strings"
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
	State    string
	Page     int // from 1

	search search
	Err    error // why Text cannot be read
}

func parseQuery(values url.Values) query {
	q := query{Text: strings.TrimSpace(values.Get("q")), Receiver: values.Get("receiver"), State: values.Get("state"), Page: 1}
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
func (q query) narrowed() bool { return q.Receiver != "" || !q.search.empty() }

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
