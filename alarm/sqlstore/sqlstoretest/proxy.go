package sqlstoretest

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A Proxy passes bytes between clients and a server until it is told to break something.
type Proxy struct {
	Address string

	target   string
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	open   map[net.Conn]bool
	closed bool
	refuse bool          // whoever connects
	thaw   chan struct{} // nil, or closed when bytes may pass again
	freeze int           // 0, or after how many pieces to the server, and one, to freeze
	cut    [2]cut
}

// The directions in which bytes pass.
const (
	toServer = iota
	toClient
)

// A cut breaks the connection over which the next piece but so many passes.
type cut struct {
	armed bool
	after int
	late  time.Duration // the piece still arrives, so long after its sender lost the connection
}

// NewProxy starts one that ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &Proxy{Address: l.Addr().String(), target: target, listener: l, open: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.Thaw()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.Break()
		p.wg.Wait()
	})
	return p
}

// Break breaks all connections. New ones can be made.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
}

// Refuse breaks all connections, and new ones as soon as they are made, until Admit.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	p.refuse = true
	p.mu.Unlock()
	p.Break()
}

// Admit ends Refuse.
func (p *Proxy) Admit() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = false
}

// Freeze lets nothing pass any more, and breaks nothing: so a paused process looks, or a network
// that swallows everything.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.thaw == nil {
		p.thaw = make(chan struct{})
	}
}

// Thaw ends Freeze: what was held up passes.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.thaw != nil {
		close(p.thaw)
		p.thaw = nil
	}
}

// CutToServer breaks the connection over which a client sends the next piece but n. If late is not 0
// the piece reaches the server all the same, so much later.
func (p *Proxy) CutToServer(n int, late time.Duration) { p.arm(toServer, n, late) }

// CutToClient breaks the connection over which the server sends the next piece but n.
func (p *Proxy) CutToClient(n int) { p.arm(toClient, n, 0) }

func (p *Proxy) arm(direction, n int, late time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut[direction] = cut{armed: true, after: n, late: late}
}

// Disarm takes back what CutToServer and CutToClient asked for, and says whether it has happened.
func (p *Proxy) Disarm() (happened bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	happened = !p.cut[toServer].armed && !p.cut[toClient].armed
	p.cut = [2]cut{}
	return happened
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.open[client], p.open[server] = true, true
		if p.closed || p.refuse {
			_, _ = client.Close(), server.Close()
		}
		p.mu.Unlock()
		p.wg.Go(func() { p.pass(toServer, client, server) })
		p.wg.Go(func() { p.pass(toClient, server, client) })
	}
}

// pass copies one direction until either end is closed.
func (p *Proxy) pass(direction int, from, to net.Conn) {
	defer func() {
		_, _ = from.Close(), to.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, from)
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.waitThaw(direction)
		switch here, late := p.cutHere(direction); {
		case here && late > 0:
			_ = from.Close()
			time.Sleep(late)
			_, _ = to.Write(buf[:n])
			return
		case here:
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *Proxy) waitThaw(direction int) {
	p.mu.Lock()
	if direction == toServer && p.freeze > 0 {
		if p.freeze--; p.freeze == 0 && p.thaw == nil {
			p.thaw = make(chan struct{})
		}
	}
	thaw := p.thaw
	p.mu.Unlock()
	if thaw != nil {
		<-thaw
	}
}

func (p *Proxy) cutHere(direction int) (here bool, late time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.cut[direction]
	if !c.armed {
		return false, 0
	}
	c.after--
	if c.after >= 0 {
		return false, 0
	}
	c.armed = false
	return true, c.late
}
