package probe

import "sync"

// A gate lets functions run, so many at once in all and so many for one host. Those that wait for their
// host do not stand in the way of others.
type gate struct {
	total, perHost int
	running        sync.WaitGroup

	mu    sync.Mutex // guards what is below
	open  int        // running now
	ready []entry    // wait for a place
	hosts map[string]*host
}

type entry struct {
	host string
	run  func()
}

type host struct {
	open    int
	waiting []entry // wait for their host
}

func newGate(total, perHost int) *gate {
	return &gate{total: total, perHost: perHost, hosts: map[string]*host{}}
}

// submit runs a function as soon as there is a place for it. It does not block.
func (g *gate) submit(name string, run func()) {
	g.running.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hosts[name] == nil {
		g.hosts[name] = &host{}
	}
	g.ready = append(g.ready, entry{name, run})
	g.start()
}

// start starts what may start. The gate is locked.
func (g *gate) start() {
	for g.open < g.total && len(g.ready) > 0 {
		next := g.ready[0]
		g.ready = g.ready[1:]
		h := g.hosts[next.host]
		if h.open >= g.perHost {
			h.waiting = append(h.waiting, next)
			continue
		}
		h.open++
		g.open++
		go func() {
			defer g.running.Done()
			defer g.done(h)
			next.run()
		}()
	}
}

func (g *gate) done(h *host) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	h.open--
	if len(h.waiting) > 0 {
		g.ready = append(g.ready, h.waiting[0])
		h.waiting = h.waiting[1:]
	}
	g.start()
}

// wait returns when all that was submitted has run.
func (g *gate) wait() { g.running.Wait() }
