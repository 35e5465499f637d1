package apiv2

import (
	"reflect"

	"github.com/prometheus/common/model"
)

const (
	// recallSlots is for how many sets there is room, and recallBytes for how much of their text.
	recallSlots = 1 << 12
	recallBytes = 512 << 10
)

// A recall appends label sets, and copies what it wrote before of the same set: annotations are often
// one set for many alerts (see package source). That a set is the same, not merely equal, is seen without
// a look at what it holds. What is seen once is only noted, so that sets that nobody shares cost nothing.
//
// It is for one answer, for whose time the sets live and nobody modifies them. The zero value is ready.
type recall struct {
	slots [recallSlots]recalled
	text  []byte
	used  bool
}

// A recalled set is where it hashes to, in place of the one that was there before.
type recalled struct {
	set      uintptr
	from, to int32 // in text; 0, 0: it was seen once
}

// append appends a set that sh encodes if it must.
func (r *recall) append(b []byte, ls model.LabelSet, sh *shaper) []byte {
	if len(ls) == 0 {
		return append(b, '{', '}')
	}
	set := reflect.ValueOf(ls).Pointer()
	slot := &r.slots[uint64(set)*0x9e3779b97f4a7c15>>(64-12)]
	switch {
	case slot.set != set:
		*slot = recalled{set: set}
		r.used = true
		return sh.append(b, ls)
	case slot.to > 0:
		return append(b, r.text[slot.from:slot.to]...)
	}
	from := len(b)
	b = sh.append(b, ls)
	if n := len(b) - from; len(r.text)+n <= recallBytes {
		slot.from = int32(len(r.text))
		r.text = append(r.text, b[from:]...)
		slot.to = int32(len(r.text))
	}
	return b
}

// forget prepares for the next answer.
func (r *recall) forget() {
	if r.used {
		clear(r.slots[:])
		r.text, r.used = r.text[:0], false
	}
}
