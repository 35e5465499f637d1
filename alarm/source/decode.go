package source

import (
	"net/url"
	"strings"
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// A batch is what a body was decoded to.
type batch struct {
	alerts []alarm.Alert // with the times as they were given
	errs   []error       // nil, or for each alert what is wrong with its labels and annotations
	known  int           // how many came from the cache
	slow   bool          // encoding/json had to decode it
}

// check returns what is wrong with the i-th alert, after its times were filled in.
func (b *batch) check(i int) error {
	if a := &b.alerts[i]; a.EndsAt.Before(a.StartsAt) {
		return errTimes
	}
	if b.errs != nil {
		return b.errs[i]
	}
	return nil
}

func (b *batch) add(a alarm.Alert, err error) {
	b.alerts = append(b.alerts, a)
	if err != nil && b.errs == nil {
		b.errs = make([]error, len(b.alerts)-1, cap(b.alerts))
	}
	if b.errs != nil {
		b.errs = append(b.errs, err)
	}
}

// A decoder turns bodies into alerts and remembers what it decoded.
type decoder struct {
	limits  limits
	cache   *contents
	strings *interner
}

func newDecoder(l limits, cached int) *decoder {
	return &decoder{
		limits:  l,
		cache:   newContents(cached),
		strings: newInterner(),
	}
}

// decode decodes a body. Its error is a *BodyError.
func (d *decoder) decode(now time.Time, body []byte) (batch, error) {
	if b, ok := d.fast(now, body); ok {
		return b, nil
	}
	return d.slow(body)
}

// fast decodes a body of the usual shape. It does not say what is wrong with others.
func (d *decoder) fast(now time.Time, body []byte) (batch, bool) {
	d.cache.age(now)
	d.strings.age(now)
	s := scanner{b: body}
	if !s.take('[') {
		return batch{}, false
	}
	if s.take(']') {
		return batch{}, true
	}
	b := batch{alerts: make([]alarm.Alert, 0, 1+len(body)/600)}
	for {
		var e element
		if !e.scan(&s) {
			return batch{}, false
		}
		a, known, err := d.content(&e)
		if a == nil {
			return batch{}, false
		}
		if known {
			b.known++
		}
		b.add(*a, err)
		last := &b.alerts[len(b.alerts)-1]
		last.StartsAt, last.EndsAt = e.startsAt, e.endsAt
		if s.take(']') {
			return b, true // what follows the array is nobody's business, in Alertmanager too
		}
		if !s.take(',') {
			return batch{}, false
		}
	}
}

// An element is one alert of a body: its times, and the raw bytes of the rest.
type element struct {
	labels, annotations, url []byte
	pairs, notes             int // how many labels and annotations there seem to be
	startsAt, endsAt         time.Time
}

// scan takes one element. It is false if anything is not as usual.
func (e *element) scan(s *scanner) bool {
	if !s.take('{') {
		return false
	}
	var starts, ends []byte
	for {
		name, ok := s.str()
		if !ok || !s.take(':') {
			return false
		}
		var field *[]byte
		var pairs *int // of an object
		switch string(name) {
		case `"labels"`:
			field, pairs = &e.labels, &e.pairs
		case `"annotations"`:
			field, pairs = &e.annotations, &e.notes
		case `"generatorURL"`:
			field = &e.url
		case `"startsAt"`:
			field = &starts
		case `"endsAt"`:
			field = &ends
		default:
			return false
		}
		if *field != nil {
			return false // a repeated name: encoding/json merges the two
		}
		if pairs != nil {
			*field, *pairs, ok = s.flat()
		} else {
			*field, ok = s.str()
		}
		if !ok {
			return false
		}
		if s.take('}') {
			break
		}
		if !s.take(',') {
			return false
		}
	}
	return e.labels != nil && scanTime(starts, &e.startsAt) && scanTime(ends, &e.endsAt)
}

// scanTime reads a raw string, or nothing.
func scanTime(raw []byte, t *time.Time) bool {
	if raw == nil {
		return true
	}
	var ok bool
	*t, ok = rfc3339(raw[1 : len(raw)-1])
	return ok
}

// content returns what labels, annotations and URL mean: an alert without times, whether it was known,
// and what makes it invalid. It is nil if the bytes are not what they should be.
func (d *decoder) content(e *element) (a *alarm.Alert, known bool, err error) {
	key := d.cache.key(e)
	if a := d.cache.get(key); a != nil {
		return a, true, nil
	}
	labels, generator, ok := d.strings.readSetAnd(e.labels, e.pairs, e.url)
	if !ok || !validURL(generator) {
		return nil, false, nil
	}
	annotations, ok := d.strings.readShared(e.annotations, e.notes)
	if !ok {
		return nil, false, nil
	}
	fresh, err := d.limits.alert(labels, annotations, generator)
	if err != nil {
		return &fresh, false, err
	}
	d.cache.put(key, &fresh)
	return &fresh, false, nil
}

// validURL says whether a generator URL is one by Alertmanager's measure.
func validURL(s string) bool {
	if s == "" {
		return true
	}
	s, _, _ = strings.Cut(s, "#")
	_, err := url.ParseRequestURI(s)
	return err == nil
}
