package apiv2

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// An escaping says whether a string is escaped for use in HTML. Alertmanager does so in all that
// is generated of several parts (alerts, silences), and nowhere else.
type escaping bool

const (
	forHTML escaping = true
	asIs    escaping = false
)

// An encoder appends alerts, and knows again what several have in common. The zero value is ready. It
// must not be used by two goroutines at once.
type encoder struct {
	shaper                shaper
	prose                 recall
	starts, ends, updated clock
	receivers             []string // whose text is shown
	shown                 []byte
}

// forget lets go of what the next answer may not have in common with this one.
func (e *encoder) forget() {
	e.prose.forget()
	e.receivers, e.shown = nil, e.shown[:0]
}

// appendAlert appends an alert. Its end is until if it has none.
func (e *encoder) appendAlert(b []byte, a *alarm.Alert, s *status, receivers []string, until time.Time) []byte {
	ends := a.EndsAt
	if ends.IsZero() {
		ends = until
	}
	b = append(b, `{"annotations":`...)
	b = e.prose.append(b, a.Annotations, &e.shaper)
	b = append(b, `,"endsAt":"`...)
	b = e.ends.append(b, ends)
	b = append(b, `","fingerprint":"`...)
	b = appendFingerprint(b, a.Fingerprint())
	b = e.appendReceivers(b, receivers)
	b = append(b, `,"startsAt":"`...)
	b = e.starts.append(b, a.StartsAt)
	b = appendStatus(b, s)
	b = append(b, `,"updatedAt":"`...)
	b = e.updated.append(b, a.UpdatedAt)
	b = append(b, '"')
	if a.GeneratorURL != "" {
		b = append(b, `,"generatorURL":`...)
		b = appendString(b, a.GeneratorURL, forHTML)
	}
	b = append(b, `,"labels":`...)
	b = e.shaper.append(b, a.Labels)
	return append(b, '}')
}

// appendReceivers closes the fingerprint and appends the receivers, which are mostly those of the alert
// before.
func (e *encoder) appendReceivers(b []byte, receivers []string) []byte {
	if len(e.shown) == 0 || !slices.Equal(e.receivers, receivers) {
		text := append(e.shown[:0], `","receivers":[`...)
		for i, name := range receivers {
			if i > 0 {
				text = append(text, ',')
			}
			text = append(text, `{"name":`...)
			text = appendString(text, name, forHTML)
			text = append(text, '}')
		}
		e.receivers, e.shown = receivers, append(text, ']')
	}
	return append(b, e.shown...)
}

// appendStatus closes the start and appends the status, which is mostly that of an active alert.
func appendStatus(b []byte, s *status) []byte {
	if s.state == stateActive && len(s.inhibitedBy)+len(s.mutedBy)+len(s.silencedBy) == 0 {
		return append(b, `","status":{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"}`...)
	}
	b = append(b, `","status":{"inhibitedBy":`...)
	b = appendStrings(b, s.inhibitedBy)
	b = append(b, `,"mutedBy":`...)
	b = appendStrings(b, s.mutedBy)
	b = append(b, `,"silencedBy":`...)
	b = appendStrings(b, s.silencedBy)
	b = append(b, `,"state":"`...)
	b = append(b, s.state...)
	return append(b, '"', '}')
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s, forHTML)
	}
	return append(b, ']')
}

// A pair is a label.
type pair struct{ name, value string }

// sortedPairs appends the labels to pairs, which is empty, and sorts them by name. Few are sorted
// by insertion, which is what is fastest then.
func sortedPairs(pairs []pair, ls model.LabelSet) []pair {
	for name, value := range ls {
		pairs = append(pairs, pair{string(name), string(value)})
	}
	if len(pairs) > 16 {
		slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.name, b.name) })
		return pairs
	}
	for i := 1; i < len(pairs); i++ {
		for j := i; j > 0 && pairs[j].name < pairs[j-1].name; j-- {
			pairs[j], pairs[j-1] = pairs[j-1], pairs[j]
		}
	}
	return pairs
}

// appendLabels appends an object with sorted names.
func appendLabels(b []byte, ls model.LabelSet, e escaping) []byte {
	var room [16]pair
	b = append(b, '{')
	for i, p := range sortedPairs(room[:0], ls) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, p.name, e)
		b = append(b, ':')
		b = appendString(b, p.value, e)
	}
	return append(b, '}')
}

const hexDigits = "0123456789abcdef"

func appendFingerprint(b []byte, fp model.Fingerprint) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, hexDigits[fp>>shift&0xf])
	}
	return b
}

// appendTime appends a time in UTC, cut to milliseconds, without quotes.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	}
	hour, minute, second := t.Clock()
	ms := t.Nanosecond() / 1e6
	two := func(n int) (byte, byte) { return byte('0' + n/10), byte('0' + n%10) }
	y1, y2 := two(year / 100)
	y3, y4 := two(year % 100)
	m1, m2 := two(int(month))
	d1, d2 := two(day)
	h1, h2 := two(hour)
	i1, i2 := two(minute)
	s1, s2 := two(second)
	f1, f2 := two(ms / 10)
	return append(b, y1, y2, y3, y4, '-', m1, m2, '-', d1, d2, 'T', h1, h2, ':', i1, i2, ':', s1, s2, '.', f1, f2, byte('0'+ms%10), 'Z')
}

// A clock appends times that are often in the second of the one before.
type clock struct {
	second int64
	text   [len("2006-01-02T15:04:05.")]byte // of that second; zero: none
}

func (c *clock) append(b []byte, t time.Time) []byte {
	second := t.Unix()
	if c.second == second && c.text[0] != 0 {
		ms := t.Nanosecond() / 1e6
		b = append(b, c.text[:]...)
		return append(b, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
	}
	from := len(b)
	b = appendTime(b, t)
	if len(b)-from == len("2006-01-02T15:04:05.000Z") {
		c.second = second
		copy(c.text[:], b[from:])
	}
	return b
}

func appendMap(b []byte, m map[string]string) []byte {
	ls := make(model.LabelSet, len(m))
	for name, value := range m {
		ls[model.LabelName(name)] = model.LabelValue(value)
	}
	return appendLabels(b, ls, forHTML)
}
