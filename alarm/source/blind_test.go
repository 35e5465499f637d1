package source

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Servers that answer and see nothing are blind from the second failed evaluation on, however often
// they are asked in between.
func TestBlind(t *testing.T) {
	bad := func(clock string) testRule {
		return testRule{health: "err", evaluated: at(clock).Format("2006-01-02T15:04:05Z")}
	}
	good := testRule{name: "Y"}
	steps := []struct {
		what  string
		rules []testRule
		want  error
	}{
		{"well", []testRule{good}, nil},
		{"an evaluation fails", []testRule{bad("10:56:00")}, nil},
		{"the same, asked again", []testRule{bad("10:56:00")}, nil},
		{"the next one fails", []testRule{bad("10:56:30")}, ErrBlind},
		{"the same, asked again", []testRule{bad("10:56:30")}, ErrBlind},
		{"another rule is evaluated", []testRule{bad("10:56:35"), good}, nil},
		{"all fail, once", []testRule{bad("10:56:40")}, nil},
		{"well again", []testRule{good}, nil},
	}
	f := newFake(t, nil)
	r := newTestRules(t, VMAlert, f.URL)
	require.Equal(t, ErrUnread, r.Blind())
	for _, s := range steps {
		f.will(group(s.rules...))
		read(t, r)
		require.Equal(t, s.want, r.Blind(), s.what)
	}
	f.will(fails(500, ""))
	_, err := r.Alerts(t.Context())
	require.Error(t, err)
	assert.NoError(t, r.Blind(), "that is an error of its own")

	fresh := newTestRules(t, VMAlert, f.URL)
	f.will(group(bad("10:56:00")))
	read(t, fresh)
	assert.Equal(t, ErrBlind, fresh.Blind(), "nothing says that it ever saw")
}
