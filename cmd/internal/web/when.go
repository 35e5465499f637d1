package web

import (
	"fmt"
	"time"
)

// A when is an instant as people read it.
type when struct {
	ISO  string // for machines
	Full string // 2026-03-01 03:12:45 UTC
	Ago  string // 12 min ago, in 2 h 5 min
	Age  string // 12 min
}

func makeWhen(now, t time.Time) when {
	if t.IsZero() {
		return when{}
	}
	t = t.UTC()
	return when{
		ISO:  t.Format(time.RFC3339),
		Full: t.Format("2006-01-02 15:04:05 UTC"),
		Ago:  ago(now, t),
		Age:  age(now.Sub(t)),
	}
}

// Zero says that there is no such instant.
func (w when) Zero() bool { return w.ISO == "" }

// ago says how far t is from now.
func ago(now, t time.Time) string {
	if t.After(now) {
		return "in " + age(t.Sub(now))
	}
	return age(now.Sub(t)) + " ago"
}

// age prints a length of time in its two greatest units, to the minute, so that a page that is
// printed every few seconds does not differ each time.
func age(d time.Duration) string {
	d = d.Abs()
	days, hours, minutes := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60
	switch {
	case d < time.Minute:
		return "<1 min"
	case d < time.Hour:
		return fmt.Sprintf("%d min", minutes)
	case days == 0 && minutes == 0:
		return fmt.Sprintf("%d h", hours)
	case days == 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	case hours == 0 || days >= 10:
		return fmt.Sprintf("%d d", days)
	default:
		return fmt.Sprintf("%d d %d h", days, hours)
	}
}

// A span is how far back a page looks.
type span struct {
	Name   string // in the address
	Words  string
	Length time.Duration
}

var spans = [...]span{
	{"24h", "24 hours", 24 * time.Hour},
	{"7d", "7 days", 7 * 24 * time.Hour},
	{"30d", "30 days", 30 * 24 * time.Hour},
	{"90d", "90 days", 90 * 24 * time.Hour},
}

// parseSpan returns the span of that name, or the first.
func parseSpan(name string) span {
	for _, s := range spans {
		if s.Name == name {
			return s
		}
	}
	return spans[0]
}
