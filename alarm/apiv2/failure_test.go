package apiv2

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tocsin/tocsin/alarm"
)

// A database's errors have codes of their own, which are nobody's status.
func TestCodeOf(t *testing.T) {
	_, ok := codeOf(fmt.Errorf("%w: commit plan: %w", alarm.ErrNotStored, coded(778)))
	assert.False(t, ok)
	_, ok = codeOf(coded(261))
	assert.False(t, ok)
	code, ok := codeOf(fmt.Errorf("parse: %w", coded(602)))
	assert.True(t, ok)
	assert.Equal(t, 602, code)
}

type coded int

func (c coded) Error() string { return "coded" }
func (c coded) Code() int     { return int(c) }
