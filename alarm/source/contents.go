package source

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// contents remembers what the bytes of an alert mean, but for its times.
type contents struct {
	seeds seeds

	mu   sync.Mutex // guards what follows
	kept generations[contentKey, *content]
}

// A contentKey stands for the bytes. It is made of two hashes with seeds of their own, which nobody
// outside can know, so that no sender can make two alerts look alike.
type contentKey [2]uint64

// seeds are what keys are made with.
type seeds [2]maphash.Seed

func newSeeds() seeds { return seeds{maphash.MakeSeed(), maphash.MakeSeed()} }

// key hashes what the parts hold in a row. They must be of a kind that can be told apart in a row.
func (s *seeds) key(parts ...[]byte) (k contentKey) {
	for i, seed := range s {
		var h maphash.Hash
		h.SetSeed(seed)
		for _, part := range parts {
			h.Write(part)
		}
		k[i] = h.Sum64()
	}
	return k
}

// A content is a valid alert without times, in a quarter of the memory.
type content struct {
	labels, annotations model.LabelSet
	url                 string
	fingerprint         model.Fingerprint
	bytes               int
}

func (c content) weight() int { return c.bytes }

func newContents(limit int) *contents {
	return &contents{
		seeds: newSeeds(),
		kept:  newGenerations[contentKey, *content](limit),
	}
}

// key hashes an element. Its labels and annotations are objects and its URL is a string, so the
// three in a row can be told apart.
func (c *contents) key(e *element) contentKey { return c.seeds.key(e.labels, e.annotations, e.url) }

func (c *contents) age(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.age(now)
}

// get returns nil if the alert is not known.
func (c *contents) get(k contentKey) *alarm.Alert {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.kept.get(k)
	if !ok {
		return nil
	}
	a := alarm.Alert{Labels: found.labels, Annotations: found.annotations, GeneratorURL: found.url}.WithKnownFingerprint(found.fingerprint)
	return &a
}

func (c *contents) put(k contentKey, a *alarm.Alert) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept.put(k, &content{
		labels: a.Labels, annotations: a.Annotations, url: a.GeneratorURL, fingerprint: a.Fingerprint(),
		bytes: size(a.Labels) + size(a.Annotations) + len(a.GeneratorURL),
	})
}
