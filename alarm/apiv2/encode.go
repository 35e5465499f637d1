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

// appendAlert appends an alert. Its end is until if it has none.
func (sh *shaper) appendAlert(b []byte, a *alarm.Alert, s status, receivers []string, until time.Time) []byte {
	ends := a.EndsAt
	if ends.IsZero() {
		ends = until
	}
	b = append(b, `{"annotations":`...)
	b = sh.append(b, a.Annotations)
	b = append(b, `,"endsAt":"`...)
	b = appendTime(b, ends)
	b = append(b, `","fingerprint":"`...)
	b = appendFingerprint(b, a.Fingerprint())
	b = append(b, `","receivers":[`...)
	for i, name := range receivers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":`...)
		b = appendString(b, name, forHTML)
		b = append(b, '}')
	}
	b = append(b, `],"startsAt":"`...)
	b = appendTime(b, a.StartsAt)
	b = append(b, `","status":{"inhibitedBy":`...)
	b = appendStrings(b, s.inhibitedBy)
	b = append(b, `,"mutedBy":`...)
	b = appendStrings(b, s.mutedBy)
	b = append(b, `,"silencedBy":`...)
	b = appendStrings(b, s.silencedBy)
	b = append(b, `,"state":"`...)
	b = append(b, s.state...)
	b = append(b, `"},"updatedAt":"`...)
	b = appendTime(b, a.UpdatedAt)
	b = append(b, '"')
	if a.GeneratorURL != "" {
		b = append(b, `,"generatorURL":`...)
		b = appendString(b, a.GeneratorURL, forHTML)
	}
	b = append(b, `,"labels":`...)
	b = sh.append(b, a.Labels)
	return append(b, '}')
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

func appendMap(b []byte, m map[string]string) []byte {
	ls := make(model.LabelSet, len(m))
	for name, value := range m {
		ls[model.LabelName(name)] = model.LabelValue(value)
	}
	return appendLabels(b, ls, forHTML)
}
