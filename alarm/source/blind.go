package source

import (
	"errors"
	"time"
)

// ErrBlind is what Rules.Blind returns when the servers failed twice in a row to evaluate every single
// rule: they answer, and see nothing.
var ErrBlind = errors.New("the last evaluation of each of its rules failed: its datasource may be away")

// ErrUnread is what Rules.Blind returns before the first answer.
var ErrUnread = errors.New("it has not answered yet")

// A blindness is what is known of servers that answer and see nothing.
type blindness struct {
	read  bool
	blind bool
	began time.Time // the newest evaluation at the first answer that was so
	sure  bool      // another evaluation has failed since, or none is known to have gone well before
}

// err is what it comes to.
func (b blindness) err() error {
	switch {
	case !b.read:
		return ErrUnread
	case b.sure:
		return ErrBlind
	}
	return nil
}

// next is the blindness after these answers. One evaluation that failed is forgiven, as one question
// is: its alerts are unknown, and that is all.
func (b blindness) next(readings []reading) blindness {
	newest, blind := survey(readings)
	switch {
	case !blind:
		return blindness{read: true}
	case !b.blind:
		return blindness{read: true, blind: true, began: newest, sure: !b.read}
	}
	b.sure = b.sure || newest.IsZero() || newest.After(b.began)
	return b
}

// survey says when a rule was evaluated last, and whether the servers that answered tried all of their
// rules, and failed.
func survey(readings []reading) (newest time.Time, blind bool) {
	tried := 0
	for _, rd := range readings {
		if rd.err != nil {
			continue
		}
		for i := range rd.rules {
			r := &rd.rules[i]
			if r.health != "err" && r.lastError == "" {
				return time.Time{}, false
			}
			if r.evaluated.After(newest) {
				newest = r.evaluated
			}
			tried++
		}
	}
	return newest, tried > 0
}
