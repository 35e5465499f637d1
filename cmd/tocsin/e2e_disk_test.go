package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A diskPatient is a server on SQLite, under a load that is sent again until it is acknowledged.
type diskPatient struct {
	t *testing.T
	*server
	*flow
	sink *sink
}

func newDiskPatient(t *testing.T) *diskPatient {
	t.Helper()
	debianPart(t, "strace", "strace")
	p := &diskPatient{t: t, sink: newSink(t)}
	p.server = newServer(t, groupConfig(p.sink.URL, "1h")+"tocsin: {}\n")
	p.program = quickProgram(t) // strace stops it at each call
	p.Start()
	p.flow = newFlow(t, &cluster{t: t, servers: []*server{p.server}, down: make([]atomic.Bool, 1)}, p.sink, nil)
	return p
}

// Refused is a check for eventually: a push is answered 503, in words that say why, and the server is not
// ready for the same reason.
func (p *diskPatient) Refused(says ...string) error {
	body, err := json.Marshal([]alert{ended(named("Probe"))})
	if err != nil {
		return err
	}
	resp, err := p.client.Post(p.url()+"/api/v2/alerts", "application/json", strings.NewReader(string(body)))
	if err != nil {
		return giveUp(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return giveUp(err)
	}
	if resp.StatusCode == http.StatusOK {
		return errors.New("a push is answered 200")
	}
	code, ready, err := p.get("/-/ready")
	if err == nil && code == http.StatusOK {
		err = errors.New("it says that it is ready")
	}
	if err != nil {
		return err
	}
	for _, text := range says {
		if !strings.Contains(string(answer), text) || !strings.Contains(ready, text) {
			return giveUp(fmt.Errorf("neither %q nor %q may leave out %q", answer, ready, text))
		}
	}
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || code != http.StatusServiceUnavailable {
		return giveUp(fmt.Errorf("a push is answered %d, Retry-After %q, and /-/ready %d", resp.StatusCode, resp.Header.Get("Retry-After"), code))
	}
	return nil
}

// Once says that nothing was told twice, unless this machine is so busy that the receiver's answer came too
// late.
func (p *diskPatient) Once() {
	p.t.Helper()
	if strings.Contains(p.stderr.String(), "context deadline exceeded") {
		p.t.Log("the receiver was too slow: what was told to it may have been told again")
		return
	}
	again := p.sink.Tally().again
	assert.Zero(p.t, again, "told twice")
}

// Quiet returns when nothing was told for a while: what was stored before has been told.
func (p *diskPatient) Quiet() {
	p.t.Helper()
	before := -1
	eventually(p.t, func() error {
		if now := len(p.sink.Notifications()); now != before {
			before = now
			<-time.After(time.Second)
			return errors.New("somebody is being told")
		}
		return nil
	})
}

// Steady returns what was acknowledged, and does not flap.
func (p *diskPatient) Steady() map[string]bool {
	p.flow.mu.Lock()
	defer p.flow.mu.Unlock()
	steady := map[string]bool{}
	for n := range p.next {
		if fp := p.alert(n).Fingerprint().String(); n%100 >= flapping && p.lives[fp] > 0 {
			steady[fp] = true
		}
	}
	return steady
}

// Told has everything told that was acknowledged, and nothing else.
func (p *diskPatient) Told() {
	p.t.Helper()
	eventually(p.t, p.sink.opened(p.Firing()))
	assert.Empty(p.t, p.Lost(), "acknowledged, and never told")
}

// TestDiskFails has the disk fail for a while under load, and once more until the server is killed.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault diskFault
		says  string
	}{
		"no space":    {diskFault{writing, "error=ENOSPC:when=4+"}, "full"}, // in the middle of a transaction
		"write error": {diskFault{writing, "error=EIO:when=4+"}, "disk I/O error"},
		"fsync error": {diskFault{"fsync,fdatasync", "error=EIO"}, "disk I/O error"},
		"read-only":   {diskFault{writing + ",fsync,fdatasync", "error=EROFS"}, "disk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newDiskPatient(t)
			p.Begin()
			p.Await(200)

			fault := p.Injure(tt.fault)
			eventually(t, func() error { return p.Refused(tt.says, "tocsin.db") })
			over := time.After(6 * time.Second) // one that is shorter is nothing to tell
			p.Quiet()
			during := p.sink.NextEpoch()
			<-over
			require.NoError(t, p.Refused(tt.says))
			after := p.sink.NextEpoch()
			fault.Heal()
			eventually(t, func() error { return isReady(p.server) })
			p.Await(200)
			for _, n := range p.sink.Notifications() {
				assert.NotEqual(t, during, n.Epoch, "told while nothing could be written: %s", n.sets())
			}
			assert.Less(t, during, after)
			eventually(t, p.sink.lastSaid("TocsinStoreFailing", "firing"))

			fault = p.Injure(tt.fault)
			eventually(t, func() error { return p.Refused(tt.says) })
			p.c.down[0].Store(true)
			p.Kill()
			fault.Heal()
			p.Once()
			p.Start()
			p.c.down[0].Store(false)
			p.Await(200)
			p.End()
			p.Told()
			eventually(t, p.sink.lastSaid("TocsinStoreFailing", "resolved")) // this server saw no failure
			t.Logf("%d changes acknowledged, %d refused and sent again, %d notifications", p.acked, p.refused, len(p.sink.Notifications()))
			p.Stop()
			intact(t, filepath.Join(p.storage, "tocsin.db"))
		})
	}
}

func isReady(s *server) error {
	code, body, err := s.get("/-/ready")
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("not ready: %d %s", code, body)
	}
	return err
}

// TestSlowDisk has each fsync take two seconds.
func TestSlowDisk(t *testing.T) {
	t.Parallel()
	p := newDiskPatient(t)
	p.Begin()
	p.Await(200)
	slow := p.Injure(diskFault{"fsync,fdatasync", "delay_exit=2000000"})
	p.Await(200)
	p.End()
	p.Told()
	require.NoError(t, isReady(p.server))
	require.NoError(t, slow.Hit("fsync"))
	assert.Zero(t, p.refused, "slow is not away")
	p.Once()
	assert.Empty(t, p.sink.About("TocsinStoreFailing"))
	p.Stop() // in order, although that takes a while
	slow.Heal()
	p.Start()
	p.Told()
	p.Once()
	p.Stop()
	intact(t, filepath.Join(p.storage, "tocsin.db"))
}

// TestTornWrites kills the server while a transaction is written and not yet synced, damages what a disk may
// have damaged that lost its power then, and starts again on it.
func TestTornWrites(t *testing.T) {
	t.Parallel()
	p := newDiskPatient(t)
	p.Begin()
	p.Await(400)
	stuck := p.Injure(diskFault{"fsync,fdatasync", "delay_enter=300000000"})
	eventually(t, func() error { return stuck.Hit("fsync") })
	p.c.down[0].Store(true)
	p.Signal(syscall.SIGKILL)
	stuck.Abandon() // it has to let go of what it watches
	<-p.process.ended
	acked, before := p.Steady(), p.sink.Open()
	require.NotEmpty(t, acked)
	killed := filepath.Join(t.TempDir(), "killed")
	copyFolder(t, p.storage, killed)
	p.Start()
	p.c.down[0].Store(false)
	p.End()
	p.Told()
	p.Stop()

	for name, tear := range tears() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := newSink(t)
			s := newServer(t, groupConfig(sink.URL, "1h")+"tocsin: {}\n")
			s.program = p.program
			copyFolder(t, killed, s.storage)
			tear(t, seeded(t), filepath.Join(s.storage, "tocsin.db"))
			s.Start()
			there := s.Alerts()
			for fp := range acked {
				assert.Contains(t, there, fp, "acknowledged, and not there")
			}
			eventually(t, func() error {
				open := sink.Open()
				for fp := range acked {
					if !open[fp] && !before[fp] {
						return errors.New("one that was acknowledged is not told")
					}
				}
				return nil
			})
			s.Stop()
			intact(t, filepath.Join(s.storage, "tocsin.db"))
		})
	}
}
