package source

import "time"

// layouts are those that Alertmanager tries, after RFC 3339, in this order. Fractions of a second
// are accepted where a layout has none.
var layouts = [...]string{
	time.RFC3339,
	"2006-01-02T15:04:05.000000Z0700",
	"2006-01-02T15:04:05.000Z0700",
	"2006-01-02T15:04:05",
	"2006-01-02T15:04Z",
	"2006-01-02T15:04",
	"2006-01-02 15:04:05",
	"2006-01-02",
}

// parseTime reads a time as Alertmanager does: RFC 3339 and several shorter forms, UTC where they
// name no zone. The empty string is the beginning of 1970 there, so it is here.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	if t, ok := rfc3339(s); ok {
		return t, nil
	}
	var err error
	for _, layout := range layouts {
		var t time.Time
		if t, err = time.ParseInLocation(layout, s, time.UTC); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, err
}

// rfc3339 reads the form that senders use, such as 2006-01-02T15:04:05.999999999Z, and leaves every
// other to time.Parse.
func rfc3339[T string | []byte](s T) (time.Time, bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, false
	}
	ok := true
	number := func(from, to int) int {
		n := 0
		for i := from; i < to; i++ {
			d := s[i] - '0'
			ok = ok && d <= 9
			n = n*10 + int(d)
		}
		return n
	}
	year, month, day := number(0, 4), number(5, 7), number(8, 10)
	hour, minute, second := number(11, 13), number(14, 16), number(17, 19)
	nanos, i := 0, 19
	if s[i] == '.' {
		from := i + 1
		for i = from; i < len(s) && s[i]-'0' <= 9; i++ {
		}
		digits := i - from
		if digits == 0 || digits > 9 {
			return time.Time{}, false
		}
		nanos = number(from, i)
		for ; digits < 9; digits++ {
			nanos *= 10
		}
	}
	// Days past the 28th depend on the month.
	if !ok || month < 1 || month > 12 || day < 1 || day > 28 && !inMonth(year, month, day) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	offset, ok := zone(s[i:])
	if !ok {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second-offset, nanos, time.UTC), true
}

func inMonth(year, month, day int) bool {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() == day
}

// zone reads Z, or an offset such as +02:00, as seconds east of UTC.
func zone[T string | []byte](s T) (seconds int, ok bool) {
	if len(s) == 1 && s[0] == 'Z' {
		return 0, true
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	for _, i := range [...]int{1, 2, 4, 5} {
		if s[i]-'0' > 9 {
			return 0, false
		}
	}
	hours, minutes := int(s[1]-'0')*10+int(s[2]-'0'), int(s[4]-'0')*10+int(s[5]-'0')
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	seconds = hours*3600 + minutes*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}
