package silence

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong with a window as it was asked for.
type Problem struct {
	Field  string `json:"field"`  // such as rrule, as configuration and API name it
	What   string `json:"what"`   // is wrong
	Remedy string `json:"remedy"` // what to do
}

// String returns the problem as field: what is wrong: remedy.
func (p Problem) String() string {
	if p.Remedy == "" {
		return p.Field + ": " + p.What
	}
	return p.Field + ": " + p.What + ": " + p.Remedy
}

// A RefusedError lists everything that is wrong with a window. To try again cannot help.
type RefusedError struct{ Problems []Problem }

// Error returns the problems in a line.
func (e *RefusedError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "; ")
}

// Invalid returns true.
func (*RefusedError) Invalid() bool { return true }

// problems collects what is wrong.
type problems []Problem

func (ps *problems) add(field, remedy, format string, args ...any) {
	*ps = append(*ps, Problem{Field: field, What: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (ps problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return &RefusedError{ps}
}

func refused(field, remedy, format string, args ...any) error {
	var ps problems
	ps.add(field, remedy, format, args...)
	return ps.err()
}

// also adds the problems that an error lists.
func (ps *problems) also(err error) {
	var e *RefusedError
	if errors.As(err, &e) {
		*ps = append(*ps, e.Problems...)
	}
}

// inField says that the problems are those of another field.
func inField(field string, err error) error {
	var e *RefusedError
	if !errors.As(err, &e) {
		return err
	}
	moved := &RefusedError{slices.Clone(e.Problems)}
	for i := range moved.Problems {
		moved.Problems[i].Field = field
	}
	return moved
}
