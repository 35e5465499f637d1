package discovery

import (
	"slices"
	"strings"
	"time"

	"github.com/valyala/fastjson"
)

// A reader turns JSON objects into nodes. Entries look alike in all formats; what differs is where the
// dependencies are.
type reader struct {
	report   *Report
	format   Format
	at       time.Time
	embedded int               // how many reports deep, inside of others' data
	words    map[string]string // keys of data and the like, which every dependency repeats
}

// intern returns the word that an equal one was before, so that a report keeps one of each.
func (rd *reader) intern(word string) string {
	if kept, ok := rd.words[word]; ok {
		return kept
	}
	if rd.words == nil {
		rd.words = map[string]string{}
	}
	rd.words[word] = word
	return word
}

// read fills the report from the root object.
func (rd *reader) read(root object, format Format) {
	rd.format = format
	r := rd.report
	if format == NoFormat || format == Heptio {
		rd.flat(root)
		return
	}
	n := rd.node("", root, 0)
	r.State, r.RawStatus, r.Message = n.State, n.RawStatus, n.Message
	r.Duration, r.Nodes, r.Data = n.Duration, n.Children, n.Data
	r.Partial = format == HealthGo
	rd.identity(root)
	if format == GoHealth && starting(r.Nodes) {
		r.Why = WhyStarting
	}
	arrange(r.Nodes)
}

// identity is what a service says of itself at the root.
func (rd *reader) identity(root object) {
	r := rd.report
	first := func(values ...*fastjson.Value) string {
		for _, v := range values {
			if s, ok := text(v); ok && s != "" && s != "null" {
				return clip(s, maxName)
			}
		}
		return ""
	}
	info, _ := objectOf(root.get("info"))
	component, _ := objectOf(root.get("component"))
	r.Service = first(root.get("serviceId"), component.get("name"))
	r.Version = first(root.get("version"), info.get("version"), component.get("version"))
	r.Release = first(root.get("releaseId"))
}

// starting says whether some check of a GoHealth report has not run yet, and none fails.
func starting(nodes []Node) bool {
	waiting := false
	for i := range nodes {
		if nodes[i].State == Fail {
			return false
		}
		waiting = waiting || nodes[i].State == Unknown && nodes[i].CheckedAt.IsZero()
	}
	return waiting
}

// flat reads an object of names and texts, in which OK means well.
func (rd *reader) flat(root object) {
	r := rd.report
	for _, m := range root {
		s, scalar := text(m.value)
		if rd.format == NoFormat {
			if scalar {
				rd.keep(&r.Data, m.name, s)
			}
			continue
		}
		n := Node{Name: cleanName(m.name), Duration: NotGiven, RawStatus: clip(s, maxName)}
		if n.State = OK; s != "OK" {
			n.State, n.RawStatus, n.Message = Fail, "", prose(s)
		}
		r.Nodes = append(r.Nodes, n)
	}
	sortData(r.Data)
	arrange(r.Nodes)
}

// entry reads one dependency: an object, or a scalar that says all.
func (rd *reader) entry(name string, v *fastjson.Value, depth int) Node {
	name = cleanName(name)
	o, ok := objectOf(v)
	switch {
	case ok && depth >= maxDepth:
		rd.report.Truncated = true
		n := Node{Name: name, Duration: NotGiven, State: Unknown, Data: []KV{{Key: "document", Value: clip(mask(v.String()), maxValue)}}}
		if n.RawStatus = statusOf(o); n.RawStatus != "" {
			n.State, _ = rd.word(n.RawStatus)
		}
		return n
	case ok:
		return rd.node(name, o, depth)
	}
	n := Node{Name: name, Duration: NotGiven}
	if s, scalar := text(v); scalar {
		if rd.format == HealthGo { // a failure's text
			n.State, n.Message = Fail, prose(s)
			return n
		}
		n.RawStatus = clip(s, maxName)
		n.State, _ = rd.word(s)
		return n
	}
	n.State = Unknown
	n.Data = []KV{{Key: "document", Value: clip(mask(v.String()), maxValue)}}
	return n
}

// word is Word, and ASP.NET's numbers.
func (rd *reader) word(s string) (State, bool) {
	if rd.format == ASPNet || rd.format == MicroProfile {
		switch s {
		case "2":
			return OK, true
		case "1":
			return Warn, true
		case "0":
			return Fail, true
		}
	}
	return Word(s)
}

// node reads an object that is a report or an entry of one.
func (rd *reader) node(name string, o object, depth int) Node {
	n := Node{Name: name, Duration: NotGiven}
	if status := statusOf(o); status != "" {
		n.RawStatus = rd.intern(clip(status, maxName))
		n.State, _ = rd.word(status)
	}
	failing := ""
	for _, m := range o {
		if rd.container(&n, m, depth) {
			continue
		}
		rd.attribute(&n, m, depth, &failing)
	}
	if n.Message == "" {
		n.Message, failing = failing, ""
	}
	if failing != n.Message && n.Error == "" {
		n.Error = failing
	}
	if n.Message == "" {
		n.Message = n.Error
	}
	if n.Error == n.Message {
		n.Error = ""
	}
	if n.State == None && n.Value == "" && name != "" {
		if n.State = Worst(n.Children); n.State == None {
			n.State = Unknown
		}
	}
	sortData(n.Data)
	n.Data = slices.Clone(n.Data) // as long as it has to be: there are many
	arrange(n.Children)
	return n
}

// attribute reads a member that is not a container of dependencies. Error texts in data go to failing:
// they are the message if there is no other.
func (rd *reader) attribute(n *Node, m member, depth int, failing *string) {
	s, scalar := text(m.value)
	switch key := fold(m.name); key {
	case "status", "outcome", "state", "health", "overall", "healthy", "success":
		if inner, ok := objectOf(m.value); ok && n.Message == "" {
			s, _ := text(inner.get("description"))
			n.Message = prose(s)
		} else if !scalar {
			rd.nested(n, m, depth, failing)
		}
	case "name", "id", "key", "component":
		if !scalar || n.Name == "" || cleanName(s) != n.Name {
			rd.nested(n, m, depth, failing)
		}
	case "description", "message", "output":
		if scalar && s != "null" {
			n.Message = join(n.Message, prose(s))
			return
		}
		rd.nested(n, m, depth, failing)
	case "error", "exception", "reason", "rootcause":
		if scalar && s != "null" {
			if s != "" {
				n.Error = prose(s)
			}
			return
		}
		rd.nested(n, m, depth, failing)
	case "duration", "totalduration", "elapsed", "responsetime", "durationms", "durationmillis", "elapsedms", "responsetimems", "totalchecksduration":
		if d, ok := durationOf(m); ok {
			n.Duration = d
			return
		}
		rd.nested(n, m, depth, failing)
	case "time", "timestamp", "checkedat", "lastchecked":
		if t, ok := timeOf(s); scalar && ok {
			if rd.at.IsZero() || t.Before(rd.at.Add(24*time.Hour)) {
				n.CheckedAt = t
			}
			return
		}
		if scalar && (strings.HasPrefix(s, "0001-") || s == "" || s == "null") {
			return // not checked yet
		}
		rd.nested(n, m, depth, failing)
	case "tags":
		n.Tags = tagsOf(m.value)
		if n.Kind == "" && len(n.Tags) > 0 {
			n.Kind = n.Tags[0]
		}
	case "componenttype":
		n.Kind = clip(s, maxName)
	case "observedvalue", "metricvalue":
		n.Value = clip(mask(m.value.String()), maxValue)
	case "observedunit", "metricunit":
		n.Unit = clip(s, maxName)
	case "groups":
	default:
		rd.nested(n, m, depth, failing)
	}
}

// nested keeps a member as data, or as a child if it is a report of its own.
func (rd *reader) nested(n *Node, m member, depth int, failing *string) {
	rd.flatten(n, cleanName(m.name), m.value, depth, failing)
}

func (rd *reader) flatten(n *Node, key string, v *fastjson.Value, depth int, failing *string) {
	o, isObject := objectOf(v)
	switch {
	case isObject && rd.embedded < maxEmbedded && isReport(o):
		inner := reader{report: rd.report, at: rd.at, words: rd.words, format: detect(o, ""), embedded: rd.embedded + 1}
		n.Children = append(n.Children, inner.entry(key, v, depth+1))
	case isObject && depth >= maxDepth:
		rd.report.Truncated = true
		rd.keep(&n.Data, key, v.String())
	case isObject:
		for _, m := range o {
			sub := cleanName(m.name)
			if s, ok := text(m.value); ok && s != "null" && *failing == "" && isErrorKey(sub) {
				*failing = prose(s)
			}
			if key != "" && fold(key) != "data" && fold(key) != "details" {
				sub = key + "." + sub
			}
			rd.flatten(n, sub, m.value, depth+1, failing)
		}
	default:
		s, ok := text(v)
		if !ok {
			s = v.String()
		}
		if s == "null" || s == "" || s == "[]" {
			return
		}
		rd.keep(&n.Data, key, s)
	}
}

func isErrorKey(key string) bool {
	switch fold(key) {
	case "error", "rootcause", "exception":
		return true
	}
	return false
}

func join(a, b string) string {
	if a == "" || a == b {
		return b
	}
	return clip(a+"; "+b, maxText)
}

func tagsOf(v *fastjson.Value) []string {
	if !isType(v, fastjson.TypeArray) {
		return nil
	}
	var tags []string
	for _, e := range v.GetArray() {
		if s, ok := text(e); ok && s != "" && len(tags) < maxTags {
			tags = append(tags, clip(s, maxName))
		}
	}
	return tags
}

// durationOf reads a duration, with its unit in the value or in the member's name. A bare number says
// nothing.
func durationOf(m member) (time.Duration, bool) {
	s, ok := text(m.value)
	if !ok {
		if o, isObject := objectOf(m.value); isObject { // a TimeSpan written out
			ticks, isNumber := text(o.get("ticks"))
			return scaled(ticks, 100*time.Nanosecond, isNumber)
		}
		return 0, false
	}
	if name := fold(m.name); strings.HasSuffix(name, "ms") || strings.HasSuffix(name, "millis") {
		if d, ok := scaled(s, time.Millisecond, true); ok {
			return d, true
		}
	}
	return ParseDuration(s)
}
