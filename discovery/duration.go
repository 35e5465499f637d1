package discovery

import (
	"math"
	"strconv"
	"strings"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// ParseDuration reads the durations of health documents: .NET's TimeSpan ([-][d.]hh:mm:ss[.fffffff]),
// ISO 8601 (PT0.25S) and Go's (1.5ms). Negative ones, which come of a clock that was set, are zero; those
// that are too long for a [time.Duration] are the longest that there is. A number without a unit is not a
// duration.
func ParseDuration(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return 0, false
	case strings.Contains(s, ":"):
		return timeSpan(s)
	case s[0] == 'P' || strings.HasPrefix(s, "-P"):
		return iso8601(s)
	case s[len(s)-1] < 'a':
		return 0, false
	}
	d, err := time.ParseDuration(s)
	return max(d, 0), err == nil
}

// timeSpan reads [-][d.]hh:mm:ss[.fffffff].
func timeSpan(s string) (time.Duration, bool) {
	s, negative := strings.CutPrefix(s, "-")
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return 0, false
	}
	days := 0.0
	if d, hours, ok := strings.Cut(parts[0], "."); ok {
		var good bool
		if days, good = digits(d); !good {
			return 0, false
		}
		parts[0] = hours
	}
	seconds, fraction, _ := strings.Cut(parts[2], ".")
	h, okH := digits(parts[0])
	m, okM := digits(parts[1])
	sec, okS := digits(seconds)
	if !okH || !okM || !okS {
		return 0, false
	}
	nanos := int64(0)
	if fraction != "" {
		if _, ok := digits(fraction); !ok {
			return 0, false
		}
		nanos, _ = strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	}
	if negative {
		return 0, true
	}
	whole := days*86400 + h*3600 + m*60 + sec
	if whole >= math.MaxInt64/1e9 {
		return math.MaxInt64, true
	}
	return time.Duration(int64(whole))*time.Second + time.Duration(nanos), true
}

// digits reads a number that is nothing but digits.
func digits(s string) (float64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// iso8601 reads P[nD][T[nH][nM][nS]].
func iso8601(s string) (time.Duration, bool) {
	s, negative := strings.CutPrefix(s, "-")
	date, clock, hasClock := strings.Cut(strings.TrimPrefix(s, "P"), "T")
	if date == "" && clock == "" {
		return 0, false
	}
	total := 0.0
	read := func(part, units string, seconds ...float64) bool {
		for part != "" {
			end := strings.IndexAny(part, units)
			if end <= 0 {
				return false
			}
			n, err := strconv.ParseFloat(strings.TrimPrefix(part[:end], "-"), 64)
			if err != nil || math.IsNaN(n) {
				return false
			}
			if strings.HasPrefix(part, "-") {
				negative = true
			}
			total += n * seconds[strings.IndexByte(units, part[end])]
			part = part[end+1:]
		}
		return true
	}
	if !read(date, "WD", 7*86400, 86400) || hasClock && !read(clock, "HMS", 3600, 60, 1) {
		return 0, false
	}
	if negative {
		return 0, true
	}
	if total >= math.MaxInt64/1e9 {
		return math.MaxInt64, true
	}
	return time.Duration(total * 1e9), true
}

// scaled reads a number of some unit.
func scaled(s string, unit time.Duration, ok bool) (time.Duration, bool) {
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || math.IsNaN(n):
		return 0, false
	case n <= 0:
		return 0, true
	case n*float64(unit) >= math.MaxInt64:
		return math.MaxInt64, true
	}
	return time.Duration(n * float64(unit)), true
}

// timeOf reads a time: RFC 3339, without an offset too (UTC), or seconds or milliseconds since 1970. The
// zero time and years that nobody means are not times.
func timeOf(s string) (time.Time, bool) {
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), t.Year() > 1970
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || n < 1e8 || n > 1e14:
		return time.Time{}, false
	case n > 1e11:
		return time.UnixMilli(n).UTC(), true
	}
	return time.Unix(n, 0).UTC(), true
}
