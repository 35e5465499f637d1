package opsgenie

import (
	"net/http"
	"net/url"
	"strconv"
)

// A call is one request, before it is sent.
type call struct {
	method string
	ops    bool   // to JSM's Operations API
	path   string // escaped
	query  url.Values
	body   any // JSON, or nil
	domain domain
}

// A ref names an incident. Both parts are of the same one; either may be missing. The alias names
// whatever is open under it, and goes first.
type ref struct{ alias, id string }

// A dialect is how one of the services wants to be asked. Its methods only build calls; false means
// that the service has no such call, or that the ref does not suffice for it.
type dialect interface {
	create(in *incident) call
	close(r ref, user, note string) call
	note(r ref, user, text string) call
	set(r ref, field, value string) (call, bool) // message, description, priority
	addTags(r ref, tags []string) (call, bool)
	removeTags(r ref, tags []string) (call, bool)
	setDetails(r ref, details map[string]string) (call, bool)
	removeDetails(r ref, keys []string) (call, bool)
	outcome(requestID string, ops bool) call

	list(query string, offset, limit int) (call, bool)
	byAlias(alias string) (call, bool)
	byID(id string) (call, bool)
}

// genie is Opsgenie's API.
type genie struct{}

func (genie) act(method string, r ref, action string, query url.Values, body any) call {
	if query == nil {
		query = url.Values{}
	}
	kind, name := "alias", r.alias
	if name == "" {
		kind, name = "id", r.id
	}
	query.Set("identifierType", kind)
	return call{method: method, path: "/v2/alerts/" + url.PathEscape(name) + action, query: query, body: body, domain: domainAlert}
}

func (genie) create(in *incident) call {
	return call{method: http.MethodPost, path: "/v2/alerts", body: in, domain: domainAlert}
}

func (g genie) close(r ref, user, note string) call {
	return g.act(http.MethodPost, r, "/close", nil, actor(user, note))
}

func (g genie) note(r ref, user, text string) call {
	return g.act(http.MethodPost, r, "/notes", nil, actor(user, text))
}

func (g genie) set(r ref, field, value string) (call, bool) {
	return g.act(http.MethodPut, r, "/"+field, nil, map[string]string{field: value}), true
}

func (g genie) addTags(r ref, tags []string) (call, bool) {
	return g.act(http.MethodPost, r, "/tags", nil, map[string][]string{"tags": tags}), true
}

func (g genie) removeTags(r ref, tags []string) (call, bool) {
	return g.act(http.MethodDelete, r, "/tags", url.Values{"tags": {commaList(tags)}}, nil), true
}

func (g genie) setDetails(r ref, details map[string]string) (call, bool) {
	return g.act(http.MethodPost, r, "/details", nil, map[string]any{"details": details}), true
}

func (g genie) removeDetails(r ref, keys []string) (call, bool) {
	return g.act(http.MethodDelete, r, "/details", url.Values{"keys": {commaList(keys)}}, nil), true
}

func (genie) outcome(id string, _ bool) call {
	return call{method: http.MethodGet, path: "/v2/alerts/requests/" + url.PathEscape(id), domain: domainAlert}
}

func (genie) list(query string, offset, limit int) (call, bool) {
	return call{method: http.MethodGet, path: "/v2/alerts", query: listQuery(query, "limit", offset, limit), domain: domainSearch}, true
}

func (genie) byAlias(alias string) (call, bool) {
	return genie{}.act(http.MethodGet, ref{alias: alias}, "", nil, nil), true
}

func (genie) byID(id string) (call, bool) {
	return call{method: http.MethodGet, path: "/v2/alerts/" + url.PathEscape(id), domain: domainAlert}, true
}

// jsm is JSM's integration API for what that can, and its Operations API for the rest.
type jsm struct {
	genie
	ops bool // there is one
}

func (j jsm) set(r ref, field, value string) (call, bool) {
	return j.patch(http.MethodPatch, r, "/"+field, map[string]string{field: value})
}

func (j jsm) addTags(r ref, tags []string) (call, bool) {
	return j.patch(http.MethodPost, r, "/tags", map[string][]string{"tags": tags})
}

func (j jsm) removeTags(r ref, tags []string) (call, bool) {
	return j.patch(http.MethodDelete, r, "/tags", map[string][]string{"tags": tags})
}

func (j jsm) setDetails(r ref, details map[string]string) (call, bool) {
	return j.patch(http.MethodPost, r, "/extra-properties", map[string]any{"extraProperties": details})
}

func (j jsm) removeDetails(r ref, keys []string) (call, bool) {
	return j.patch(http.MethodDelete, r, "/extra-properties", map[string][]string{"keys": keys})
}

// patch changes an incident in place, which goes by its id only.
func (j jsm) patch(method string, r ref, action string, body any) (call, bool) {
	return call{method: method, ops: true, path: "/v1/alerts/" + url.PathEscape(r.id) + action, body: body, domain: domainAlert}, j.ops && r.id != ""
}

func (j jsm) outcome(id string, ops bool) call {
	c := j.genie.outcome(id, ops)
	if ops {
		c.ops, c.path = true, "/v1/alerts/requests/"+url.PathEscape(id)
	}
	return c
}

func (j jsm) list(query string, offset, limit int) (call, bool) {
	return call{method: http.MethodGet, ops: true, path: "/v1/alerts", query: listQuery(query, "size", offset, limit), domain: domainSearch}, j.ops
}

func (j jsm) byAlias(alias string) (call, bool) {
	return call{method: http.MethodGet, ops: true, path: "/v1/alerts/alias", query: url.Values{"alias": {alias}}, domain: domainAlert}, j.ops
}

func (j jsm) byID(id string) (call, bool) {
	return call{method: http.MethodGet, ops: true, path: "/v1/alerts/" + url.PathEscape(id), domain: domainAlert}, j.ops
}

func actor(user, note string) map[string]string {
	body := map[string]string{"user": user, "source": user}
	if note != "" {
		body["note"] = cut(note, limitNote)
	}
	return body
}

func listQuery(query, limitName string, offset, limit int) url.Values {
	return url.Values{
		"query": {query}, "offset": {strconv.Itoa(offset)}, limitName: {strconv.Itoa(limit)},
		"sort": {"createdAt"}, "order": {"desc"},
	}
}
