package main_test

import (
	"context"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

const (
	flowRate  = 200 // alerts in a second
	flowBatch = 20
	flapping  = 10 // of a hundred alerts, those that end and fire again
	paging    = 10 // of a hundred alerts, those that are incidents too

	// An alert fires for longer than any take-over, so that none may go by untold, and rests as long before
	// it fires again.
	flowLife = time.Minute
	flowSpan = 2 * flowRate * int(flowLife/time.Second)
)

// A flow is alerts that begin to fire at a steady rate, some of which flap, pushed to whichever server answers
// until it is acknowledged. Each ends after a while, and fires again later.
type flow struct {
	t       *testing.T
	c       *cluster
	sink    *sink  // is told of all
	genie   *genie // keeps incidents of some of the alerts; nil: of none
	began   time.Time
	stop    context.CancelFunc
	senders sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	next    int
	firing  map[string]bool // by fingerprint: acknowledged last as firing
	lives   map[string]int  // how often it was acknowledged as firing, apart from its flapping
	times   map[string]int  // the same with its flapping
	paged   map[string]bool // those of times that are incidents too
	acked   int
	refused int
	moved   chan struct{} // closed and replaced whenever acked moves
	ended   time.Time
}

func newFlow(t *testing.T, c *cluster, s *sink, g *genie) *flow {
	t.Helper()
	return &flow{t: t, c: c, sink: s, genie: g, firing: map[string]bool{}, lives: map[string]int{}, times: map[string]int{}, paged: map[string]bool{}, moved: make(chan struct{})}
}

// Begin starts a batch at each tick. What is not acknowledged is sent again by its own goroutine, so that
// the order of one alert's changes is kept and the rate as well.
func (f *flow) Begin() {
	ctx, stop := context.WithCancel(context.Background())
	f.began, f.stop = time.Now(), stop
	f.senders.Go(func() {
		tick := time.NewTicker(time.Second * flowBatch / flowRate)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				f.senders.Go(func() { f.batch(ctx) })
			}
		}
	})
	f.t.Cleanup(func() {
		f.stop()
		f.senders.Wait()
	})
}

// batch has alerts fire. Then those that flap end, and fire again; and when they have lived, all end.
func (f *flow) batch(ctx context.Context) {
	f.mu.Lock()
	from := f.next
	f.next += flowBatch
	f.mu.Unlock()
	var fresh, flaps []model.LabelSet
	for n := from; n < from+flowBatch; n++ {
		labels := f.alert(n)
		fresh = append(fresh, labels)
		if n%100 < flapping {
			flaps = append(flaps, labels)
		}
	}
	if f.send(fresh, true) {
		f.begun(fresh)
	}
	if len(flaps) > 0 {
		f.send(flaps, false)
		f.send(flaps, true)
	}
	select {
	case <-ctx.Done():
	case <-time.After(flowLife):
		f.send(fresh, false)
	}
}

// alert is the n-th that fires.
func (f *flow) alert(n int) model.LabelSet {
	labels := ofGroup("g", n%flowSpan)
	if f.genie != nil && n%10 < paging/10 {
		labels["page"] = "yes"
	}
	return labels
}

// send pushes until a server has acknowledged, and says whether one has.
func (f *flow) send(sets []model.LabelSet, fire bool) bool {
	as := firing
	if !fire {
		as = ended
	}
	body := each(sets, as)
	deadline := time.Now().Add(5 * patience) // half of the time nobody leads
	for n := 0; time.Now().Before(deadline); n++ {
		if f.t.Context().Err() != nil {
			return false // the test has failed
		}
		i := n % len(f.c.servers)
		if f.c.down[i].Load() {
			if i == len(f.c.servers)-1 {
				<-time.After(20 * time.Millisecond)
			}
			continue
		}
		if f.c.servers[i].push(body) == nil {
			f.acknowledged(sets, fire)
			return true
		}
		f.mu.Lock()
		f.refused += len(sets)
		f.mu.Unlock()
		<-time.After(200 * time.Millisecond)
	}
	f.t.Errorf("nobody took a batch for %s", 5*patience)
	return false
}

func (f *flow) acknowledged(sets []model.LabelSet, fire bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, labels := range sets {
		fp := labels.Fingerprint().String()
		if !fire {
			delete(f.firing, fp)
			continue
		}
		f.firing[fp] = true
		f.times[fp]++
		if labels["page"] != "" {
			f.paged[fp] = true
		}
	}
	f.acked += len(sets)
	close(f.moved)
	f.moved = make(chan struct{})
}

// begun notes that alerts fire that did not a while ago. One that is open at the receiver, for its end was held
// up, need not be told again.
func (f *flow) begun(sets []model.LabelSet) {
	open := f.sink.Open()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, labels := range sets {
		if fp := labels.Fingerprint().String(); !open[fp] || f.lives[fp] == 0 {
			f.lives[fp]++
		}
	}
}

// Await returns when so many more changes were acknowledged.
func (f *flow) Await(more int) {
	f.t.Helper()
	f.mu.Lock()
	want := f.acked + more
	f.mu.Unlock()
	deadline := time.After(patience)
	for {
		f.mu.Lock()
		there, moved := f.acked >= want, f.moved
		f.mu.Unlock()
		if there {
			return
		}
		select {
		case <-moved:
		case <-deadline:
			require.Fail(f.t, "nothing more is acknowledged")
		}
	}
}

// End sends nothing new, and returns when all that was begun is acknowledged.
func (f *flow) End() {
	f.stop()
	f.senders.Wait()
	f.ended = time.Now()
}

// Firing returns what fires, as it was acknowledged.
func (f *flow) Firing() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.firing
}

// Rate is how many alerts there were in a second.
func (f *flow) Rate() float64 { return float64(f.acked) / f.ended.Sub(f.began).Seconds() }

// Lost returns what was acknowledged as firing more often than somebody was told that it begins, or never had
// an incident.
func (f *flow) Lost() []string {
	f.sink.mu.Lock()
	defer f.sink.mu.Unlock()
	var lost []string
	for fp, n := range f.lives {
		if f.sink.told[fp] < n {
			lost = append(lost, fp)
		}
	}
	if f.genie == nil {
		return lost
	}
	incidents := f.genie.count()
	for fp := range f.paged {
		if incidents[fp] == 0 {
			lost = append(lost, "incident of "+fp)
		}
	}
	return lost
}

// Extra is how many incidents there are beyond the times that their alerts fired.
func (f *flow) Extra() int {
	extra := 0
	for fp, n := range f.genie.count() {
		extra += max(0, n-f.times[fp])
	}
	return extra
}

// FiringIncidents returns what fires and is an incident.
func (f *flow) FiringIncidents() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	incidents := map[string]bool{}
	for fp := range f.firing {
		if f.paged[fp] {
			incidents[fp] = true
		}
	}
	return incidents
}

// count is how many incidents each alert ever had, by fingerprint.
func (g *genie) count() map[string]int {
	n := map[string]int{}
	for _, a := range g.Alerts() {
		n[path.Base(a.Alias)]++
	}
	return n
}
