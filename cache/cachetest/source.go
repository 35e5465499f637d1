package cachetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/discovery"
)

// Source is a [cache.Source] that says what it was told to. It may be used by several goroutines.
type Source struct {
	mu        sync.Mutex // guards what is below
	cycles    []discovery.Cycle
	documents map[discovery.Key]discovery.Health
	err       error
	docErr    error
	fetched   int
}

var _ cache.Source = (*Source)(nil)

// Set says what the agents found last.
func (s *Source) Set(cycles ...discovery.Cycle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cycles, s.documents = nil, map[discovery.Key]discovery.Health{}
	for _, c := range cycles {
		c.Results = slices.Clone(c.Results)
		for i := range c.Results {
			h := &c.Results[i]
			s.documents[h.Target.Key()] = *h
			h.Raw, h.ContentType, h.Nodes = nil, "", nil
		}
		s.cycles = append(s.cycles, c)
	}
}

// Fail makes all calls fail, until it is told nil.
func (s *Source) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// FailDocuments makes Documents fail, until it is told nil.
func (s *Source) FailDocuments(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.docErr = err
}

// Fetched returns how many documents were asked for so far.
func (s *Source) Fetched() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetched
}

// Cycles returns what was set.
func (s *Source) Cycles(context.Context, time.Time) ([]discovery.Cycle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cycles, s.err
}

// Documents sets the documents of what was set.
func (s *Source) Documents(_ context.Context, of []*discovery.Health) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetched += len(of)
	for _, h := range of {
		if d := s.documents[h.Target.Key()]; d.Hash == h.Hash {
			h.Raw, h.ContentType = d.Raw, d.ContentType
		}
	}
	return errors.Join(s.err, s.docErr)
}
