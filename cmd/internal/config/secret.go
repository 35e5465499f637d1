package config

import "log/slog"

// A Secret is a value that no log, page or error shows.
type Secret string

const hidden = "<secret>"

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// String returns <secret>, or nothing if there is none.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString returns what String does.
func (s Secret) GoString() string { return s.String() }

// LogValue returns what String does.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String does, for JSON among others.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML returns what String does.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
