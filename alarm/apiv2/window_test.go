package apiv2

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// eachHour begins at each full hour.
type eachHour struct{}

func (eachHour) Last(t time.Time) (time.Time, bool) { return t.Truncate(time.Hour), true }
func (eachHour) Next(t time.Time) (time.Time, bool) {
	return t.Truncate(time.Hour).Add(time.Hour), true
}

// A window is shown as the occurrence that is under way or next.
func TestAWindowIsShownAsASilence(t *testing.T) {
	at := func(h, m int) time.Time { return time.Date(2026, 1, 1, h, m, 0, 0, time.UTC) }
	s := &alarm.Silence{
		ID: "i", Matchers: matcher.MustParse(`a="b"`), StartsAt: at(1, 0), EndsAt: alarm.NoEnd(), Kind: alarm.KindWindow, Name: "hourly", Comment: "c",
		Recurrence: &alarm.Recurrence{Duration: 10 * time.Minute, Calendar: eachHour{}},
	}
	const head = `{"id":"i","status":{"state":`
	const middle = `},"updatedAt":"0001-01-01T00:00:00.000Z","comment":"window hourly: c","createdBy":"","endsAt":`
	const rest = `,"matchers":[{"isEqual":true,"isRegex":false,"name":"a","value":"b"}],"startsAt":`
	assert.Equal(t, head+`"active"`+middle+`"2026-01-01T03:10:00.000Z"`+rest+`"2026-01-01T03:00:00.000Z"}`, string(appendSilence(nil, s.At(at(3, 5)), at(3, 5))))
	assert.Equal(t, head+`"pending"`+middle+`"2026-01-01T04:10:00.000Z"`+rest+`"2026-01-01T04:00:00.000Z"}`, string(appendSilence(nil, s.At(at(3, 10)), at(3, 10))))
	s.EndsAt = at(3, 5)
	assert.Equal(t, head+`"expired"`+middle+`"2026-01-01T03:05:00.000Z"`+rest+`"2026-01-01T03:00:00.000Z"}`, string(appendSilence(nil, s.At(at(3, 10)), at(3, 10))))
}
