package source

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A listed alert is one that a server lists in answer to a question.
type listed struct {
	who   *alarm.Alert // labels and fingerprint
	what  *alarm.Alert // annotations and generator URL
	state word
	since time.Time
}

// A word is what a server calls the state of an alert.
type word uint8

const (
	wordless word = iota
	odd
	firing
	pending
	inactive
)

func wordOf(raw []byte) word {
	switch string(raw) {
	case `"firing"`:
		return firing
	case `"pending"`:
		return pending
	case `"inactive"`:
		return inactive
	}
	return odd
}

// A listing reads the alerts of one server, and shares with all earlier answers what it read before:
// labels by themselves, for annotations often hold values that change.
type listing struct {
	known *catalog
	prose *contents
	base  *url.URL // what relative URLs are relative to

	// since and url name the fields, in quotes, that tell since when an alert is active, and where
	// it was generated.
	since, url string
}

// A catalog holds what the servers of one source have in common: who is who.
type catalog struct {
	limits  limits
	names   *contents
	strings *interner

	// added are labels of the source, for alerts that have no such label of their own; dropped are
	// left out.
	added   model.LabelSet
	dropped []model.LabelName
}

func newCatalog(added model.LabelSet, dropped []model.LabelName) *catalog {
	return &catalog{
		limits: defaultLimits(), names: newContents(maxListed), strings: newInterner(), added: added, dropped: dropped,
	}
}

// maxListed bounds how many alerts the caches hold.
const maxListed = 250_000

func (c *catalog) age(now time.Time) {
	c.names.age(now)
	c.strings.age(now)
}

// errShape says that an alert is not what the API promises.
var errShape = errors.New("an alert is not of the expected form")

// read reads one alert. An error that wraps errShape concerns the answer as a whole; with any other
// the alert is useless, and who, if there, says which it is.
func (l *listing) read(raw []byte) (listed, error) {
	var a listed
	var e element
	var state, since []byte
	s := scanner{b: raw}
	if !s.take('{') {
		return a, errShape
	}
	for done := s.take('}'); !done; {
		name, ok := s.str()
		if !ok || !s.take(':') {
			return a, errShape
		}
		switch field := string(name); {
		case s.peek() == 'n':
			value, _ := s.value()
			ok = string(value) == "null"
		case field == `"labels"`:
			e.labels, e.pairs, ok = s.flat()
		case field == `"annotations"`:
			e.annotations, e.notes, ok = s.flat()
		case field == `"state"`:
			state, ok = s.str()
		case field == l.since:
			since, ok = s.str()
		case field == l.url:
			e.url, ok = s.str()
		default:
			_, ok = s.value()
		}
		if !ok {
			return a, fmt.Errorf("%w: %.40s", errShape, name)
		}
		if done = s.take('}'); !done && !s.take(',') {
			return a, errShape
		}
	}
	if state != nil {
		a.state = wordOf(state)
	}
	var err error
	if a.since, err = instant(since); err != nil {
		return a, fmt.Errorf("%w: %s is %.40s", errShape, l.since, since)
	}
	if a.who, err = l.known.who(&e); err != nil {
		return a, err
	}
	a.what, err = l.what(&e, a.who)
	return a, err
}

// instant reads a raw time, or nothing.
func instant(raw []byte) (time.Time, error) {
	if raw == nil {
		return time.Time{}, nil
	}
	if t, ok := rfc3339(raw[1 : len(raw)-1]); ok {
		return t, nil
	}
	text, ok := readText(raw)
	if !ok || text == "" {
		return time.Time{}, errShape
	}
	return parseTime(text)
}

// who returns an alert of the labels.
func (c *catalog) who(e *element) (*alarm.Alert, error) {
	key := c.names.key(&element{labels: e.labels})
	if a := c.names.get(key); a != nil {
		return a, nil
	}
	labels, ok := c.strings.readSet(e.labels, e.pairs)
	if !ok {
		return nil, fmt.Errorf("%w: labels", errShape)
	}
	maps.DeleteFunc(labels, func(_ model.LabelName, v model.LabelValue) bool { return v == "" })
	if len(labels) > 0 {
		for name, value := range c.added {
			if _, own := labels[name]; !own {
				labels[name] = value
			}
		}
	}
	c.drop(labels)
	a, err := c.limits.alert(labels, nil, "")
	if err != nil {
		return &a, err
	}
	c.names.put(key, &a)
	return &a, nil
}

// drop takes out the labels that are to be left out. An alert that has no others keeps them: it would
// have no identity without.
func (c *catalog) drop(labels model.LabelSet) {
	n := 0
	for _, name := range c.dropped {
		if _, ok := labels[name]; ok {
			n++
		}
	}
	if n == len(labels) {
		return
	}
	for _, name := range c.dropped {
		delete(labels, name)
	}
}

// what returns an alert of the annotations and the URL.
func (l *listing) what(e *element, who *alarm.Alert) (*alarm.Alert, error) {
	key := l.prose.key(&element{annotations: e.annotations, url: e.url})
	if a := l.prose.get(key); a != nil {
		return a, nil
	}
	annotations, ok := l.known.strings.readShared(e.annotations, e.notes)
	if !ok {
		return nil, fmt.Errorf("%w: annotations", errShape)
	}
	generator := ""
	if e.url != nil {
		if generator, ok = readText(e.url); !ok {
			return nil, fmt.Errorf("%w: %s", errShape, l.url)
		}
		generator = absolute(l.base, generator)
	}
	a, err := l.known.limits.alert(who.Labels, annotations, generator)
	if err != nil {
		return nil, err
	}
	a = alarm.Alert{Annotations: annotations, GeneratorURL: generator}
	l.prose.put(key, &a)
	return &a, nil
}

// absolute returns a generator URL that may be relative to base, or nothing if it is no URL.
func absolute(base *url.URL, s string) string {
	u, err := url.Parse(s)
	if s == "" || err != nil {
		return ""
	}
	if u.IsAbs() {
		return s
	}
	return strings.TrimSuffix(base.String(), "/") + "/" + strings.TrimPrefix(s, "/")
}

// alert makes an alert that fires or is pending of what was listed.
func (a *listed) alert(state alarm.State, since time.Time) alarm.Alert {
	made := *a.who
	made.Annotations, made.GeneratorURL = a.what.Annotations, a.what.GeneratorURL
	made.State, made.StartsAt = state, since
	return made
}
