package probe

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/tocsin/tocsin/discovery"
)

const (
	anchorTimeout = 2 * time.Second
	anchorFresh   = time.Second
)

// A network says whether our own network is well, by its anchors.
type network struct {
	anchors []string
	dial    func(ctx context.Context, network, address string) (net.Conn, error)

	mu    sync.Mutex // guards what is below, and makes all who ask at once wait for one answer
	asked time.Time
	fine  bool
}

// well says whether some anchor can be reached, now or within the last second. Without anchors it
// believes so.
func (n *network) well(ctx context.Context) bool {
	if len(n.anchors) == 0 {
		return true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.asked) < anchorFresh {
		return n.fine
	}
	ctx, cancel := context.WithTimeout(ctx, anchorTimeout)
	defer cancel()
	answers := make(chan bool, len(n.anchors))
	for _, a := range n.anchors {
		go func() {
			conn, err := n.dial(ctx, "tcp", a)
			if err == nil {
				err = conn.Close()
			}
			answers <- err == nil
		}()
	}
	n.fine = false
	for range n.anchors { // each returns: its dial ends with ctx
		if <-answers {
			n.fine = true
			cancel()
		}
	}
	n.asked = time.Now()
	return n.fine
}

// blind says whether a cycle says nothing but that we are cut off.
func blind(results []discovery.Health, anchored bool) bool {
	hosts := map[string]bool{}
	own, dns, transport := 0, 0, 0
	for i := range results {
		switch results[i].Why {
		case discovery.WhyOwnNetwork:
			own++
		case discovery.WhyDNS:
			dns++
		case discovery.WhyRefused, discovery.WhyTimeout, discovery.WhyTransport, discovery.WhyNoEndpoint, discovery.WhyNotAsked:
			transport++
		default:
			return false
		}
		hosts[hostOf(results[i].Target.URL)] = true
	}
	switch {
	case len(results) == 0:
		return false
	case own > 0 && dns+transport == 0:
		return true
	case len(hosts) < 2:
		return false
	}
	return !anchored || own > 0 || transport == 0 // dns alone: whatever the anchors say, nothing can be found
}
