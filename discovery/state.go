package discovery

import (
	"fmt"
	"strings"
)

// State is how well a service or one of its dependencies is, in ascending severity.
type State uint8

// The states. None belongs to what has no state of its own, such as a bare measurement; it does not
// count when the worst of several states is asked for.
const (
	None State = iota
	OK
	Unknown
	Warn
	Fail
)

// String returns the state's name as documents, metrics and pages print it.
func (s State) String() string {
	switch s {
	case None:
		return "none"
	case OK:
		return "ok"
	case Unknown:
		return "unknown"
	case Warn:
		return "warn"
	case Fail:
		return "fail"
	default:
		return fmt.Sprintf("State(%d)", uint8(s))
	}
}

// MarshalText returns the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(text []byte) error {
	for _, known := range [...]State{None, OK, Unknown, Warn, Fail} {
		if known.String() == string(text) {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("no health state %q", text)
}

// Word returns the state that a status word stands for, whatever its case and with blanks, hyphens and
// underscores left out. Known is false for every word that no format defines: its state is Unknown.
func Word(word string) (s State, known bool) {
	switch fold(word) {
	case "healthy", "up", "pass", "passed", "passing", "ok", "okay", "green", "serving", "available", "running",
		"ready", "alive", "success", "true", "pong":
		return OK, true
	case "degraded", "warn", "warning", "yellow", "partiallyavailable", "partial", "partialoutage", "impaired":
		return Warn, true
	case "unhealthy", "down", "fail", "failed", "failing", "error", "red", "critical", "fatal", "notserving",
		"unavailable", "outofservice", "shuttingdown", "false":
		return Fail, true
	case "unknown", "starting", "initializing", "pending", "none", "serviceunknown", "", "null":
		return Unknown, true
	default:
		return Unknown, false
	}
}

// fold brings a word to the form in which words are compared.
func fold(word string) string {
	plain := true
	for i := range len(word) {
		if c := word[i]; c < 'a' || c > 'z' {
			plain = false
			break
		}
	}
	if plain {
		return word
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_' || r == '-' || r == '.' || r <= ' ':
			return -1
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		default:
			return r
		}
	}, word)
}
