package source

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the log and the metrics say of answers that are not all good can be put on a page.
func TestProblems(t *testing.T) {
	good := group(testRule{}, testRule{name: "Y"})
	a, b := newFake(t, good), newFake(t, fails(500, "boom"))
	r := newTestRules(t, VMAlert, a.URL, b.URL)
	said := func() string {
		return strings.NewReplacer(a.URL, "A", b.URL, "B").Replace(strings.Join(r.Problems(), "\n"))
	}
	assert.Empty(t, said())
	read(t, r)
	assert.Equal(t, `1 of its 2 servers does not answer well: B/api/v1/rules: status 500; it begins "boom".`, said())

	a.will(group(testRule{health: "err", alerts: `{}`}, testRule{name: "Y", health: "err"}))
	b.will(group(testRule{health: "err"}, testRule{name: "Y", health: "err"}))
	read(t, r)
	assert.Equal(t, `Not everything is known, and the alerts concerned are held as they were: g/X: its health is "err" (and 1 more).`+"\n"+
		`1 alert that it lists is of no use: without a name, or beyond a limit.`, said())

	a.will(fails(500, ""))
	b.will(fails(500, ""))
	_, err := r.Alerts(t.Context())
	require.Error(t, err)
	assert.Empty(t, said(), "that is an error of its own")
	a.will(good)
	b.will(good)
	read(t, r)
	assert.Empty(t, said())
}
