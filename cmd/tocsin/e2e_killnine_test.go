package main_test

import (
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKillNine kills the server at 20 random moments while 10,000 alerts are pushed, and once more
// while some of them end.
func TestKillNine(t *testing.T) {
	t.Parallel()
	const (
		alerts, groups, batch, senders = 10_000, 100, 64, 4
		kills                          = 20
	)
	rnd := seeded(t)
	sink := newSink(t)
	sink.Answer(http.StatusOK, 20*time.Millisecond) // so that deliveries are under way when it is killed
	s := startServer(t, groupConfig(sink.URL, "3s"))
	l := newLoad(t, alerts, groups, batch, senders)

	moments := make([]int, kills) // how many batches were acknowledged by then
	for i := range moments {
		moments[i] = rnd.IntN(alerts / batch * 9 / 10)
	}
	slices.Sort(moments)
	for _, moment := range moments {
		more := max(0, moment-len(l.Acknowledged())/batch)
		pause := time.Duration(rnd.Int64N(int64(5 * time.Millisecond)))
		l.Run(s, more, func() {
			<-time.After(pause)
			s.Kill()
		})
		sink.NextEpoch()
		s.Start()
		require.NoError(t, l.Verify(s), "after %d batches and %s", moment, pause)
	}
	l.Run(s, 0, func() {})
	all := l.Acknowledged()
	require.Len(t, all, alerts)
	eventually(t, sink.opened(all))
	rounds(t, s, sink, named("Clock"))

	endWhileDown(t, s, sink, all)
	require.NoError(t, l.Verify(s))
	again := map[int]int{}
	for _, n := range repeats(sink.Notifications()) {
		again[n.Epoch]++
	}
	t.Logf("%d notifications, of which repeated, by the number of kills before: %v", len(sink.Notifications()), again)
	total := 0
	for epoch := range kills + 1 { // what one kill left unrecorded may be repeated after a later one
		total += again[epoch]
		assert.LessOrEqual(t, total, epoch*inFlight, "repeated notifications after %d kills", epoch)
	}
	assert.LessOrEqual(t, again[kills+1], inFlight, "repeated notifications after a kill when all had been told")
}

// endWhileDown has alerts fire beside those that are open, kills the server, and lets their time pass
// before it comes back. Their sender never speaks of them again.
func endWhileDown(t *testing.T, s *server, sink *sink, open map[string]bool) {
	t.Helper()
	var lapse, end []model.LabelSet
	for i := range 200 {
		group := model.LabelValue("ending" + strconv.Itoa(i%10))
		lapse = append(lapse, model.LabelSet{"group": group, "lapse": model.LabelValue(strconv.Itoa(i))})
		end = append(end, model.LabelSet{"group": group, "end": model.LabelValue(strconv.Itoa(i))})
	}
	withEnding := maps.Clone(open)
	maps.Copy(withEnding, fingerprints(lapse))
	maps.Copy(withEnding, fingerprints(end))
	var until time.Time
	eventually(t, func() error {
		until = time.Now().Add(3 * time.Second)
		s.Push(each(lapse, lasting)...)
		s.Push(each(end, func(labels model.LabelSet) alert { return alert{Labels: labels, EndsAt: until} })...)
		return sink.opened(withEnding)()
	})
	s.Kill()
	sink.NextEpoch()
	<-time.After(time.Until(until))
	s.Start()
	eventually(t, sink.opened(open))
}

// seeded returns random numbers whose seed is in the test's log; TOCSIN_E2E_SEED repeats a run.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if given, err := strconv.ParseUint(os.Getenv("TOCSIN_E2E_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("TOCSIN_E2E_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
