package discovery

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	stdhash "hash"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// A Hash is of a report's content, as far as it changes only when something happens.
type Hash [16]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText returns the hash in hexadecimal.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads a hash in hexadecimal.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != 2*len(h) {
		return fmt.Errorf("a hash has %d digits, not %d", 2*len(h), len(text))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// A hasher feeds fields to a hash by way of one buffer. Each field has its length before it.
type hasher struct {
	sum stdhash.Hash
	buf []byte
}

func (w *hasher) field(s string) {
	if len(w.buf)+len(s)+binary.MaxVarintLen64 > cap(w.buf) {
		w.flush()
	}
	w.buf = binary.AppendUvarint(w.buf, uint64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *hasher) flush() {
	_, _ = w.sum.Write(w.buf)
	w.buf = w.buf[:0]
}

// hash leaves out what changes at each probe of a healthy service: durations, times, measurements,
// operation counts, and data that is a number, a time, a duration or a UUID. In messages, numbers and long
// hexadecimal runs all look the same.
func hash(r *Report) Hash {
	w := &hasher{sum: sha256.New(), buf: make([]byte, 0, 4<<10)}
	for _, s := range [...]string{string(r.Format), r.State.String(), string(r.Why), r.RawStatus, r.Service, r.Version, r.Release} {
		w.field(s)
	}
	w.steady(r.Message)
	w.data(r.Data)
	w.nodes(r.Nodes)
	w.flush()
	var h Hash
	copy(h[:], w.sum.Sum(nil))
	return h
}

func (w *hasher) nodes(nodes []Node) {
	w.field(strconv.Itoa(len(nodes)))
	for i := range nodes {
		n := &nodes[i]
		w.field(n.Name)
		w.field(n.Kind)
		w.field(n.State.String())
		w.field(n.RawStatus)
		w.field(n.Unit)
		w.steady(n.Message)
		w.steady(n.Error)
		w.field(strconv.Itoa(len(n.Tags)))
		for _, t := range n.Tags {
			w.field(t)
		}
		w.data(n.Data)
		w.nodes(n.Children)
	}
}

// data writes the keys of all values, and the values that are not volatile.
func (w *hasher) data(data []KV) {
	w.field(strconv.Itoa(len(data)))
	for _, kv := range data {
		w.field(kv.Key)
		if volatile(kv.Value) {
			w.field("")
		} else {
			w.steady(kv.Value)
		}
	}
}

// steady writes a text in which runs of digits, and of eight and more hexadecimal digits, look the same.
func (w *hasher) steady(s string) {
	if !strings.ContainsAny(s, "0123456789abcdefABCDEF") {
		w.field(s)
		return
	}
	out := make([]byte, 0, 128)
	for i := 0; i < len(s); {
		end, decimal := i, i
		for end < len(s) && isHex(s[end]) {
			if s[end] <= '9' && decimal == end {
				decimal++
			}
			end++
		}
		switch {
		case end-i >= 8:
			out, i = append(out, 0), end
		case decimal > i:
			out, i = append(out, 0), decimal
		default:
			out = append(out, s[i])
			i++
		}
	}
	w.field(string(out))
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// volatile says whether a value is a number, a time, a duration or a UUID.
func volatile(s string) bool {
	if s == "" {
		return false
	}
	switch c := s[0]; {
	case isUUID(s):
		return true
	case c != '-' && c != '+' && c != '.' && c != 'P' && (c < '0' || c > '9'):
		return strings.EqualFold(s, "nan") || strings.EqualFold(s, "inf") || strings.EqualFold(s, "infinity")
	case strings.Trim(s, "+-.0123456789eE") == "":
		return true // a number, or nothing better
	case len(s) > 10 && s[4] == '-' && s[7] == '-':
		_, ok := timeOf(s)
		return ok || strings.HasPrefix(s, "0001-01-01T")
	}
	_, ok := ParseDuration(s)
	return ok
}

func isUUID(s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	for i := range len(s) {
		if s[i] != '-' && !isHex(s[i]) {
			return false
		}
	}
	return true
}

// StateHash is of the states alone: the report's, and each dependency's with its path. It is what alarms
// and comparisons need to know whether anything changed.
func (r *Report) StateHash() uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write([]byte{byte(r.State)})
	stateHash(&d, r.Nodes)
	return d.Sum64()
}

func stateHash(d *xxhash.Digest, nodes []Node) {
	for i := range nodes {
		_, _ = d.WriteString(nodes[i].Name)
		_, _ = d.Write([]byte{0, byte(nodes[i].State), byte(min(len(nodes[i].Children), 255))})
		stateHash(d, nodes[i].Children)
	}
	_, _ = d.Write([]byte{1})
}
