package alarm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// A moody source answers as it is told: one letter for each question. To "." it answers, to "x" it fails,
// and "h" hangs until the time is up.
type moody struct {
	moods string
	end   func()
}

// Alerts answers the next question.
func (m *moody) Alerts(ctx context.Context) (s alarm.Snapshot, err error) {
	if m.moods == "" {
		m.end()
		return s, nil
	}
	mood := m.moods[0]
	m.moods = m.moods[1:]
	switch mood {
	case 'x':
		return s, errors.New("status 502")
	case 'h':
		<-ctx.Done()
		return s, ctx.Err()
	}
	s.Firing(model.LabelSet{"alertname": "X"})
	return s, nil
}

// One failure is not said: the source is asked again, and only if it fails once more is it said to
// have failed. What is said is never that nothing fires.
func TestCollectForgivesOneFailure(t *testing.T) {
	for _, tc := range []struct {
		moods string
		retry time.Duration
		want  string
	}{
		{moods: "..", want: "0s fires, 1m0s fires"},
		{moods: ".x..", want: "0s fires, 1m10s fires, 2m0s fires"},
		{moods: ".x.x.", want: "0s fires, 1m10s fires, 2m10s fires"},
		{moods: ".xxx.x.", want: "0s fires, 1m10s failed, 2m0s failed, 3m0s fires, 4m10s fires"},
		{moods: "x.", want: "10s fires"},
		{moods: "xx.", want: "10s failed, 1m0s fires"},
		{moods: ".h.", want: "0s fires, 1m30s fires"},
		{moods: ".hh.", want: "0s fires, 1m50s failed, 2m0s fires"},
		{moods: ".x.", retry: time.Second, want: "0s fires, 1m1s fires"},
		{moods: ".x.", retry: -1, want: "0s fires, 1m0s failed, 2m0s fires"},
	} {
		t.Run(fmt.Sprint(tc.moods, tc.retry), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				began := time.Now()
				var said []string
				submit := func(_ context.Context, in alarm.Input) error {
					for _, s := range in.Snapshots {
						require.Equal(t, "lab", s.Source)
						what := "nothing fires"
						if s.Err != nil {
							what = "failed"
						} else if len(s.Alerts) > 0 {
							what = "fires"
						}
						said = append(said, fmt.Sprint(time.Since(began), " ", what))
					}
					return nil
				}
				err := alarm.Collect(ctx, submit, "lab", &moody{moods: tc.moods, end: cancel},
					alarm.CollectOptions{Interval: time.Minute, Timeout: 20 * time.Second, Retry: tc.retry})
				require.NoError(t, err)
				assert.Equal(t, tc.want, strings.Join(said, ", "))
			})
		})
	}
}

func TestCollectLogsWhatItForgives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var log bytes.Buffer
		submit := func(context.Context, alarm.Input) error { return nil }
		err := alarm.Collect(ctx, submit, "lab", &moody{moods: ".x.", end: cancel}, alarm.CollectOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(log.String(), "\n"))
		assert.Contains(t, log.String(), `level=INFO msg="a source failed once: it is asked again before that counts" source=lab err="status 502"`)
	})
}
