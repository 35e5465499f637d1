package silence

import (
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// What a rule may ask for at most.
const (
	maxRuleBytes = 1000
	maxCount     = 1000
	maxInterval  = 1000
	maxPerDay    = 288 // every five minutes
)

const ruleRemedy = "write one such as FREQ=WEEKLY;BYDAY=TU"

// parseRule reads an RFC 5545 RRULE whose starts are counted from a wall time. What the rule leaves to
// that start is made explicit, so that the rule can be asked from any later period on. UNTIL is
// returned apart, as it stands.
func parseRule(text string, start wall) (o *rrule.ROption, until string, err error) {
	if len(text) > maxRuleBytes {
		return nil, "", refused("rrule", ruleRemedy, "longer than %d bytes", maxRuleBytes)
	}
	var kept []string
	seen := map[string]bool{}
	for part := range strings.SplitSeq(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), "RRULE:"), ";") {
		name, value, _ := strings.Cut(part, "=")
		switch {
		case seen[name]:
			return nil, "", refused("rrule", "keep one of them", "%s is given twice", shown(name))
		case name == "DTSTART" || name == "TZID" || strings.ContainsAny(part, "\r\n"):
			return nil, "", refused("rrule", "give start, zone and the rule each by itself", "only the rule stands here")
		case name == "BYEASTER":
			return nil, "", refused("rrule", ruleRemedy, "BYEASTER is not in RFC 5545")
		case name == "UNTIL":
			until = value
		default:
			kept = append(kept, part)
		}
		seen[name] = true
	}
	o, err = rrule.StrToROption(strings.Join(kept, ";"))
	if err != nil {
		return nil, "", refused("rrule", ruleRemedy, "%q is no recurrence rule (%v)", shown(text), err)
	}
	o.Dtstart = start
	if err := bounds(o, seen); err != nil {
		return nil, "", err
	}
	if _, err := rrule.NewRRule(*o); err != nil {
		return nil, "", refused("rrule", ruleRemedy, "%q is no recurrence rule (%v)", shown(text), err)
	}
	explicit(o)
	return o, until, nil
}

// bounds refuses what would be no maintenance, or would take too long to compute.
func bounds(o *rrule.ROption, seen map[string]bool) error {
	perDay := max(1, len(o.Byhour)) * max(1, len(o.Byminute)) * max(1, len(o.Bysecond))
	switch {
	case o.Freq > rrule.DAILY:
		return refused("rrule", "write FREQ=DAILY;BYHOUR=0,6,12,18 for several times a day", "FREQ=%s: windows recur by days, weeks, months or years", o.Freq)
	case seen["INTERVAL"] && o.Interval < 1, o.Interval > maxInterval:
		return refused("rrule", "leave it out for each time", "INTERVAL is %d, not from 1 to %d", o.Interval, maxInterval)
	case seen["COUNT"] && o.Count < 1, o.Count > maxCount:
		return refused("rrule", "use UNTIL, or leave it out for no end", "COUNT is %d, not from 1 to %d", o.Count, maxCount)
	case seen["COUNT"] && seen["UNTIL"]:
		return refused("rrule", "keep one of the two", "COUNT and UNTIL exclude each other")
	case perDay > maxPerDay:
		return refused("rrule", "let a longer duration cover it", "%d starts a day, more than %d", perDay, maxPerDay)
	case slices.ContainsFunc(o.Byweekday, func(d rrule.Weekday) bool { return d.N() != 0 && o.Freq > rrule.MONTHLY }):
		return refused("rrule", "write FREQ=MONTHLY;BYDAY=2TU for each second Tuesday", "a number before a day needs FREQ=MONTHLY or YEARLY")
	case o.Freq != rrule.YEARLY && (len(o.Byweekno) > 0 || len(o.Byyearday) > 0):
		return refused("rrule", ruleRemedy, "BYWEEKNO and BYYEARDAY need FREQ=YEARLY")
	case o.Freq == rrule.WEEKLY && len(o.Bymonthday) > 0:
		return refused("rrule", "write FREQ=MONTHLY", "BYMONTHDAY makes no sense with FREQ=WEEKLY")
	}
	return nil
}

// explicit writes out what a rule takes from its start (RFC 5545, section 3.3.10).
func explicit(o *rrule.ROption) {
	o.Interval = max(1, o.Interval)
	if len(o.Byhour) == 0 {
		o.Byhour = []int{o.Dtstart.Hour()}
	}
	if len(o.Byminute) == 0 {
		o.Byminute = []int{o.Dtstart.Minute()}
	}
	if len(o.Bysecond) == 0 {
		o.Bysecond = []int{o.Dtstart.Second()}
	}
	if len(o.Byweekno)+len(o.Byyearday)+len(o.Bymonthday)+len(o.Byweekday) > 0 {
		return
	}
	switch o.Freq {
	case rrule.YEARLY:
		if len(o.Bymonth) == 0 {
			o.Bymonth = []int{int(o.Dtstart.Month())}
		}
		o.Bymonthday = []int{o.Dtstart.Day()}
	case rrule.MONTHLY:
		o.Bymonthday = []int{o.Dtstart.Day()}
	case rrule.WEEKLY:
		days := [...]rrule.Weekday{rrule.SU, rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA}
		o.Byweekday = []rrule.Weekday{days[o.Dtstart.Weekday()]}
	}
}

// forward returns the rule as it goes on from a whole number of its periods later, at least one of them
// before w: so the work does not grow with the age of a window. A rule that counts is not for it.
func forward(o rrule.ROption, w wall) rrule.ROption {
	start := o.Dtstart
	if !w.After(start) {
		return o
	}
	year, month, day := start.Date()
	days := int(w.Sub(start) / (24 * time.Hour))
	var moved wall
	switch o.Freq {
	case rrule.YEARLY:
		k := (w.Year() - year) / o.Interval
		moved = time.Date(year+(k-1)*o.Interval, 1, 1, 0, 0, 0, 0, time.UTC)
	case rrule.MONTHLY:
		k := (12*(w.Year()-year) + int(w.Month()-month)) / o.Interval
		moved = time.Date(year, month+time.Month((k-1)*o.Interval), 1, 0, 0, 0, 0, time.UTC)
	case rrule.WEEKLY:
		k := days / (7 * o.Interval)
		moved = time.Date(year, month, day+(k-1)*7*o.Interval, 0, 0, 0, 0, time.UTC)
	default:
		k := days / o.Interval
		moved = time.Date(year, month, day+(k-1)*o.Interval, 0, 0, 0, 0, time.UTC)
	}
	if moved.After(start) {
		o.Dtstart = moved
	}
	return o
}

// shown shortens what somebody wrote, to be quoted back.
func shown(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
