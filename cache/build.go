package cache

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tocsin/tocsin/discovery"
)

// A job is one detail to be built.
type job struct {
	Key
	Environment string             `json:"environment"`
	Activity    discovery.Activity `json:"activity,omitzero"`
	At          time.Time          `json:"at"`
	Before      string             `json:"before,omitempty"` // key of the detail that it had
	Again       bool               `json:"again,omitempty"`  // nothing changed but measurements
	Health      []discovery.Health `json:"health"`           // sorted by service

	// Lost are services of which only the detail from before is known.
	Lost []string `json:"lost,omitempty"`

	old  *Detail                            // what Before refers to, if it is there
	last map[discovery.Key]discovery.Health // what services said last that do not answer
}

// job returns how an environment of a plan is built.
func (p *plan) job(c change, known *version) job {
	e := &p.next.Environments[c.at]
	j := job{Key: e.Key, Environment: e.Name, Activity: e.Activity, At: p.next.At, Before: c.before, Health: c.health}
	before := known.environment(e.Key)
	if before != nil {
		j.Again = before.Hash == e.Hash
	}
	for i := range e.Services {
		if e.Services[i].Lost {
			j.Lost = append(j.Lost, e.Services[i].Name)
		}
	}
	if len(j.Lost) == 0 && !j.reusable(before) {
		j.Before = ""
	}
	return j
}

// reusable says whether a document of the detail from before may be used again: the answer has the same
// content, or it has none.
func (j *job) reusable(before *Environment) bool {
	if before == nil {
		return false
	}
	for i := range j.Health {
		h := &j.Health[i]
		s := before.Service(h.Target.Service)
		if s != nil && (h.Format == discovery.NoFormat || !j.Again && s.Hash == h.Hash) {
			return true
		}
	}
	return false
}

// before fetches the details that some jobs had. One that is gone is no error.
func before(ctx context.Context, blobs Blobs, jobs []job) error {
	var keys []string
	var at []int
	for i := range jobs {
		if jobs[i].Before != "" {
			keys, at = append(keys, jobs[i].Before), append(at, i)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	data, err := blobs.Get(ctx, keys)
	if err != nil {
		return fmt.Errorf("read details: %w", err)
	}
	for i, d := range data {
		if d == nil {
			continue
		}
		if old, err := readDetail(d); err == nil { // a damaged one is built from nothing
			jobs[at[i]].old = old
		}
	}
	return nil
}

// lacking returns the answers of which the document is not at hand.
func (j *job) lacking() []*discovery.Health {
	var out []*discovery.Health
	for i := range j.Health {
		h := &j.Health[i]
		if len(h.Raw) > 0 {
			continue
		}
		if !j.Again && j.old != nil {
			if s := j.old.Service(h.Target.Service); s != nil && s.DocumentHash == h.Hash && s.Size > 0 {
				continue
			}
		}
		out = append(out, h)
	}
	return out
}

// silent returns the services that do not answer and of which no document is at hand.
func (j *job) silent() []discovery.Key {
	var keys []discovery.Key
	for i := range j.Health {
		h := &j.Health[i]
		if h.Format == discovery.NoFormat && len(h.Raw) == 0 && j.before(h).Size == 0 {
			keys = append(keys, h.Target.Key())
		}
	}
	return keys
}

// before returns what the detail from before has of a service, which may be nothing.
func (j *job) before(h *discovery.Health) *ServiceDetail {
	if j.old != nil {
		if s := j.old.Service(h.Target.Service); s != nil && s.Size > 0 {
			return s
		}
	}
	if said, ok := j.last[h.Target.Key()]; ok {
		return &ServiceDetail{
			Health: discovery.Health{Raw: said.Raw}, Size: len(said.Raw), DocumentAt: said.At, DocumentHash: said.Hash,
			DocumentType: said.ContentType, DocumentStatus: said.HTTPStatus,
		}
	}
	return &ServiceDetail{}
}

// built are details as they are stored. Free is called when they were.
type built struct {
	blobs   []Blob
	buffers []*[]byte
}

func (b *built) free() {
	for _, buf := range b.buffers {
		buffers.Put(buf)
	}
}

// buffers are what details are made in.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// buildAll makes the details of some jobs.
func buildAll(jobs []job) (*built, error) {
	b := &built{blobs: make([]Blob, len(jobs))}
	for i := range jobs {
		buf := buffers.Get().(*[]byte)
		b.buffers = append(b.buffers, buf)
		var err error
		if b.blobs[i], err = jobs[i].build(buf); err != nil {
			b.free()
			return nil, err
		}
	}
	return b, nil
}

// build makes the detail, in a buffer.
func (j *job) build(buf *[]byte) (Blob, error) {
	d := Detail{Key: j.Key, Environment: j.Environment, Activity: j.Activity, At: j.At}
	d.Services = make([]ServiceDetail, 0, len(j.Health)+len(j.Lost))
	for i := range j.Health {
		d.Services = append(d.Services, ServiceDetail{Health: j.Health[i]})
		d.Services[i].document(j.before(&j.Health[i]))
	}
	for _, name := range j.Lost {
		if j.old == nil {
			break
		}
		if old := j.old.Service(name); old != nil {
			d.Services = append(d.Services, *old)
		}
	}
	b, err := d.encode(buf)
	if err != nil {
		return Blob{}, fmt.Errorf("encode the detail of %s: %w", j.Key, err)
	}
	return b, nil
}
