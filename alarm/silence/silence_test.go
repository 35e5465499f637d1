package silence

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func minutes(m float64) time.Time { return start.Add(time.Duration(m * float64(time.Minute))) }

func silenced(id, matchers string, from, to float64) alarm.Silence {
	return alarm.Silence{ID: id, Matchers: matcher.MustParse(matchers), StartsAt: minutes(from), EndsAt: minutes(to), Comment: "c" + id}
}

func TestSet(t *testing.T) {
	now := minutes(10)
	for name, tc := range map[string]struct {
		current *alarm.Silence
		edit    alarm.Silence
		want    []alarm.Silence
		err     string
	}{
		"new":                       {edit: silenced("", `a="1"`, 20, 30), want: []alarm.Silence{silenced("new", `a="1"`, 20, 30)}},
		"new, begins in the past":   {edit: silenced("", `a="1"`, 5, 30), want: []alarm.Silence{silenced("new", `a="1"`, 10, 30)}},
		"unknown":                   {edit: silenced("x", `a="1"`, 5, 30), err: "silence not found"},
		"active, longer":            {ref(silenced("x", `a="1"`, 5, 30)), silenced("x", `a="1"`, 5, 60), []alarm.Silence{silenced("x", `a="1"`, 5, 60)}, ""},
		"active, same second":       {ref(silenced("x", `a="1"`, 5, 30)), silenced("x", `a="1"`, 5.001, 60), []alarm.Silence{silenced("x", `a="1"`, 5.001, 60)}, ""},
		"active, other order":       {ref(silenced("x", `a="1",b="2"`, 5, 30)), silenced("x", `b="2",a="1"`, 5, 60), []alarm.Silence{silenced("x", `b="2",a="1"`, 5, 60)}, ""},
		"active, ends now":          {ref(silenced("x", `a="1"`, 5, 30)), silenced("x", `a="1"`, 5, 10), []alarm.Silence{silenced("x", `a="1"`, 5, 10)}, ""},
		"active, other start":       {ref(silenced("x", `a="1"`, 5, 30)), silenced("x", `a="1"`, 6, 60), []alarm.Silence{silenced("x", `a="1"`, 5, 10), silenced("new", `a="1"`, 10, 60)}, ""},
		"active, other matchers":    {ref(silenced("x", `a="1"`, 5, 30)), silenced("x", `a="2"`, 5, 60), []alarm.Silence{silenced("x", `a="1"`, 5, 10), silenced("new", `a="2"`, 10, 60)}, ""},
		"pending, moved":            {ref(silenced("x", `a="1"`, 20, 30)), silenced("x", `a="1"`, 10, 60), []alarm.Silence{silenced("x", `a="1"`, 10, 60)}, ""},
		"pending, into the past":    {ref(silenced("x", `a="1"`, 20, 30)), silenced("x", `a="1"`, 9, 60), []alarm.Silence{silenced("x", `a="1"`, 10, 10), silenced("new", `a="1"`, 10, 60)}, ""},
		"expired":                   {ref(silenced("x", `a="1"`, 5, 9)), silenced("x", `a="1"`, 5, 60), []alarm.Silence{silenced("new", `a="1"`, 10, 60)}, ""},
		"no start is now":           {edit: alarm.Silence{Matchers: matcher.MustParse(`a="1"`), EndsAt: minutes(30), Comment: "c"}, want: []alarm.Silence{silenced("new", `a="1"`, 10, 30)}},
		"no end":                    {edit: alarm.Silence{Matchers: matcher.MustParse(`a="1"`)}, err: "invalid silence: end time missing"},
		"ends before it starts":     {edit: silenced("", `a="1"`, 30, 20), err: "invalid silence: start time must be before end time"},
		"ends when it starts":       {edit: silenced("", `a="1"`, 30, 30), err: "invalid silence: start time must be before end time"},
		"ends in the past":          {edit: silenced("", `a="1"`, 5, 9), err: "invalid silence: end time can't be in the past"},
		"no matchers":               {edit: silenced("", ``, 5, 30), err: "invalid silence: at least one matcher required"},
		"matches everything":        {edit: silenced("", `a="",b=~".*"`, 5, 30), err: "invalid silence: at least one matcher must not match the empty string"},
		"a negative one will do":    {edit: silenced("", `a!="1"`, 10, 30), want: []alarm.Silence{silenced("new", `a!="1"`, 10, 30)}},
		"no name":                   {edit: by(&matcher.Matcher{Value: "1"}), err: `invalid silence: invalid label matcher 0: invalid label name ""`},
		"a value that is not UTF-8": {edit: by(&matcher.Matcher{Name: "a", Value: "\xff"}), err: `invalid silence: invalid label matcher 0: invalid label value "\xff"`},
		"a matcher that is nil":     {edit: by(nil), err: "invalid silence: invalid label matcher 0: it is missing"},
		"a type that is none":       {edit: by(&matcher.Matcher{Name: "a", Type: 9}), err: "invalid silence: invalid label matcher 0: unknown matcher type 9"},
		"bad regular expression": {
			edit: by(&matcher.Matcher{Name: "a", Type: matcher.Regexp, Value: "("}),
			err:  "invalid silence: invalid label matcher 0: invalid regular expression \"(\": error parsing regexp: missing closing ): `^(?:()$`",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Set(now, tc.current, tc.edit, func() string { return "new" })
			if tc.err != "" {
				assert.EqualError(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			var plain []alarm.Silence
			for i, s := range got {
				assert.Equal(t, now, s.UpdatedAt)
				p := *s
				p.UpdatedAt, p.Comment = time.Time{}, "c"
				plain = append(plain, p)
				tc.want[i].Comment = "c"
			}
			assert.Equal(t, tc.want, plain)
		})
	}
}

func ref(s alarm.Silence) *alarm.Silence { return &s }

func by(m *matcher.Matcher) alarm.Silence {
	return alarm.Silence{Matchers: matcher.Matchers{m}, StartsAt: minutes(10), EndsAt: minutes(20)}
}

func TestSetCompilesWhatWasMadeByHand(t *testing.T) {
	got, err := Set(minutes(10), nil, by(&matcher.Matcher{Name: "a", Type: matcher.Regexp, Value: "x.*"}), func() string { return "new" })
	require.NoError(t, err)
	assert.True(t, got[0].Matchers[0].Matches("xy"))
}

func TestExpireAndCount(t *testing.T) {
	now := minutes(10)
	active, pending, expired := silenced("a", `a="1"`, 5, 30), silenced("b", `a="1"`, 15, 30), silenced("c", `a="1"`, 5, 10)
	assert.Equal(t, map[alarm.SilenceState]int{"active": 1, "pending": 1, "expired": 2},
		Count(now, []*alarm.Silence{&active, &pending, &expired, &expired}))
	want := active
	want.EndsAt, want.UpdatedAt = now, now
	assert.Equal(t, &want, Expire(now, &active))
	want = pending
	want.StartsAt, want.EndsAt, want.UpdatedAt = now, now, now
	assert.Equal(t, &want, Expire(now, &pending))
	assert.Nil(t, Expire(now, &expired))
	assert.Equal(t, map[alarm.SilenceState]int{"active": 0, "pending": 0, "expired": 0}, Count(now, nil))
}

func TestErrorsTell(t *testing.T) {
	_, err := Set(start, nil, silenced("x", `a="1"`, 1, 2), nil)
	require.ErrorIs(t, err, ErrNotFound)
	var missing interface{ NotFound() bool }
	require.ErrorAs(t, fmt.Errorf("wrapped: %w", err), &missing)
	assert.True(t, missing.NotFound())

	_, err = Set(start, nil, by(nil), nil)
	var broken interface{ Invalid() bool }
	require.ErrorAs(t, err, &broken)
	assert.True(t, broken.Invalid())
}
