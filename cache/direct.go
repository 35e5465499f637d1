package cache

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/tocsin/tocsin/discovery"
)

// Direct is a [Source] in this process, for those who probe and serve in one: it holds the last cycle of
// each agent, and the last document of each service, compressed. The zero value is ready, and may be used by
// several goroutines. Result and Observe fit package probe.
type Direct struct {
	mu        sync.Mutex // guards what is below
	cycles    map[discovery.AgentKey]discovery.Cycle
	documents map[discovery.Key]document
}

// A document is the last one of a service.
type document struct {
	hash        discovery.Hash
	at          time.Time
	contentType string
	http        int
	data        []byte // compressed
}

// documentAge is how old a document may become whose content did not change.
const documentAge = 10 * time.Minute

// Result takes the document of an answer, if it is new.
func (d *Direct) Result(_ context.Context, h discovery.Health) {
	if len(h.Raw) == 0 {
		return
	}
	k := h.Target.Key()
	d.mu.Lock()
	old, ok := d.documents[k]
	d.mu.Unlock()
	if ok && old.hash == h.Hash && h.At.Sub(old.at) < documentAge {
		return
	}
	doc := document{hash: h.Hash, at: h.At, contentType: h.ContentType, http: h.HTTPStatus, data: s2.Encode(nil, h.Raw)}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.documents == nil {
		d.documents = map[discovery.Key]document{}
	}
	d.documents[k] = doc
}

// Observe takes what an agent found. Documents of services that it had and has no longer are dropped.
func (d *Direct) Observe(_ context.Context, c discovery.Cycle) {
	k := discovery.AgentKey{Cluster: c.Cluster, Agent: c.Agent}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cycles == nil {
		d.cycles = map[discovery.AgentKey]discovery.Cycle{}
	}
	before := d.cycles[k]
	if !before.At.IsZero() && !c.At.After(before.At) {
		return
	}
	if c.Blind {
		before.At, before.Interval, before.Blind = c.At, c.Interval, true
		before.Agent, before.Cluster = c.Agent, c.Cluster
		d.cycles[k] = before
		return
	}
	d.cycles[k] = c
	for i := range before.Results {
		key := before.Results[i].Target.Key()
		if _, still := slices.BinarySearchFunc(c.Results, key, func(h discovery.Health, k discovery.Key) int { return h.Target.Key().Compare(k) }); !still {
			delete(d.documents, key)
		}
	}
}

// Forget takes an agent away that is gone for good, with its services.
func (d *Direct) Forget(k discovery.AgentKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.cycles[k].Results {
		delete(d.documents, d.cycles[k].Results[i].Target.Key())
	}
	delete(d.cycles, k)
}

// Cycles returns the last cycle of each agent, sorted.
func (d *Direct) Cycles(context.Context, time.Time) ([]discovery.Cycle, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]discovery.Cycle, 0, len(d.cycles))
	for _, c := range d.cycles {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b discovery.Cycle) int {
		return compareAgent(Agent{Cluster: a.Cluster, Agent: a.Agent}, b.Cluster, b.Agent)
	})
	return out, nil
}

// Last returns what services said last.
func (d *Direct) Last(_ context.Context, of []discovery.Key) (map[discovery.Key]discovery.Health, error) {
	last := map[discovery.Key]discovery.Health{}
	for _, k := range of {
		d.mu.Lock()
		doc, ok := d.documents[k]
		d.mu.Unlock()
		if !ok {
			continue
		}
		raw, err := s2.Decode(nil, doc.data)
		if err != nil {
			return nil, err
		}
		last[k] = discovery.Health{
			Target: discovery.Target{Cluster: k.Cluster, Namespace: k.Namespace, Service: k.Service}, At: doc.at, Raw: raw,
			Report: discovery.Report{Hash: doc.hash, HTTPStatus: doc.http}, ContentType: doc.contentType,
		}
	}
	return last, nil
}

var _ Recaller = (*Direct)(nil)

// Documents sets the documents of answers.
func (d *Direct) Documents(_ context.Context, of []*discovery.Health) error {
	for _, h := range of {
		d.mu.Lock()
		doc, ok := d.documents[h.Target.Key()]
		d.mu.Unlock()
		if !ok || doc.hash != h.Hash {
			continue
		}
		raw, err := s2.Decode(nil, doc.data)
		if err != nil {
			return err
		}
		h.Raw, h.ContentType = raw, doc.contentType
	}
	return nil
}
