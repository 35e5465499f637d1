package cache

import (
	"container/list"
	"sync"
)

// A recent keeps the blobs that were used last, up to a number of bytes.
type recent struct {
	limit int

	mu    sync.Mutex // guards what is below
	bytes int
	order *list.List // of Blob, the last used in front
	byKey map[string]*list.Element
}

func newRecent(limit int) *recent {
	return &recent{limit: limit, order: list.New(), byKey: map[string]*list.Element{}}
}

func (r *recent) get(key string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	if e == nil {
		return nil
	}
	r.order.MoveToFront(e)
	return e.Value.(Blob).Data
}

func (r *recent) put(key string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byKey[key] != nil || len(data) > r.limit {
		return
	}
	r.byKey[key] = r.order.PushFront(Blob{key, data})
	for r.bytes += len(data); r.bytes > r.limit; {
		last := r.order.Remove(r.order.Back()).(Blob)
		delete(r.byKey, last.Key)
		r.bytes -= len(last.Data)
	}
}
