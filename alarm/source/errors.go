package source

import (
	"fmt"
	"strings"
)

// The codes of a BodyError are those that Alertmanager answers with.
const (
	CodeMalformed = 400 // no JSON, or not of the right shape
	CodeFormat    = 601 // a string is not what it must be
	CodeRequired  = 602 // something is missing
)

// A BodyError says why a body was refused as a whole. Nothing of it was kept.
type BodyError struct {
	code    int
	message string
	err     error
}

// Error returns the message in Alertmanager's words.
func (e *BodyError) Error() string { return e.message }

// Code is one of the Code constants.
func (e *BodyError) Code() int { return e.code }

// Unwrap returns the error of the JSON decoder, if it was that.
func (e *BodyError) Unwrap() error { return e.err }

func malformed(err error) *BodyError {
	return &BodyError{code: CodeMalformed, message: fmt.Sprintf("parsing alerts body from %q failed, because %v", "", err), err: err}
}

func required(what string) *BodyError {
	return &BodyError{code: CodeRequired, message: what + " in body is required"}
}

// maxReported is how many invalid alerts an InvalidError describes. Senders log what they are
// answered, and a body can hold half a million.
const maxReported = 100

// An InvalidError says which alerts of a body were not valid. The others were kept.
type InvalidError struct {
	// Count is how many there were, Errs what was wrong with the first hundred of them, in the order
	// of the body.
	Count int
	Errs  []error
}

// Error returns one line for each alert that it describes, in Alertmanager's words.
func (e *InvalidError) Error() string {
	lines := make([]string, 0, len(e.Errs)+1)
	for _, err := range e.Errs {
		lines = append(lines, err.Error())
	}
	if more := e.Count - len(e.Errs); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// Invalid is true: the sender is to blame.
func (e *InvalidError) Invalid() bool { return true }

// Unwrap returns Errs.
func (e *InvalidError) Unwrap() []error { return e.Errs }

func (e *InvalidError) add(err error) {
	e.Count++
	if len(e.Errs) < maxReported {
		e.Errs = append(e.Errs, err)
	}
}
