package source

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadSharedIsOneSet(t *testing.T) {
	n := newInterner()
	read := func(text string) uintptr {
		set, ok := n.readShared([]byte(text), 1)
		require.True(t, ok)
		assert.Equal(t, model.LabelSet{"summary": model.LabelValue(text[12 : len(text)-2])}, set)
		return reflect.ValueOf(set).Pointer()
	}
	read(`{"summary":"a"}`)
	second := read(`{"summary":"a"}`)
	assert.Equal(t, second, read(`{"summary":"a"}`))
	assert.NotEqual(t, second, read(`{"summary":"b"}`))
	assert.Len(t, n.sets.young, 1, "what is seen once is not remembered")
	_, ok := n.readShared([]byte(`{"summary":1}`), 1)
	assert.False(t, ok)
}

// TestFreshStringsAreOnePiece looks at where the strings of an alert are. A short one that is remembered
// must not keep a long one alive.
func TestFreshStringsAreOnePiece(t *testing.T) {
	n := newInterner()
	long := strings.Repeat("l", 10_000)
	read := func(raw, beside string) (model.LabelSet, string) {
		set, last, ok := n.readSetAnd([]byte(raw), 2, []byte(beside))
		require.True(t, ok)
		return set, last
	}
	at := func(s string) uintptr { return uintptr(unsafe.Pointer(unsafe.StringData(s))) }

	set, last := read(`{"pod":"p-1","job":"j\u0026"}`, `"http:\/\/x"`)
	assert.Equal(t, model.LabelSet{"pod": "p-1", "job": "j&"}, set)
	assert.Equal(t, "http://x", last)
	assert.Equal(t, at(string(set["pod"]))+uintptr(len("p-1job")+len("j&")), at(last))

	next, _ := read(`{"pod":"p-2","job":"j\u0026"}`, `""`)
	for name := range next {
		for known := range set {
			if known == name {
				assert.Equal(t, at(string(known)), at(string(name)), "a name is one string")
			}
		}
	}

	for _, raw := range []string{
		fmt.Sprintf(`{"short":"a","long":"%s","other":"b"}`, long), fmt.Sprintf(`{"%s":"c","third":"d"}`, long),
	} {
		read(raw, `"`+long+`"`)
	}
	for s := range n.kept.young {
		assert.LessOrEqual(t, len(s), maxShared)
		for _, big := range n.texts {
			assert.Empty(t, big.known)
		}
	}
	assert.LessOrEqual(t, len(n.fresh), maxFresh)

	for _, bad := range []string{`{`, `{"a"}`, `{"a":1}`, `{"a":"b"`, `{"a":"b";`, `[]`} {
		_, _, ok := n.readSetAnd([]byte(bad), 1, nil)
		assert.False(t, ok, bad)
	}
	empty, none, ok := n.readSetAnd(nil, 0, nil)
	assert.True(t, ok)
	assert.Equal(t, model.LabelSet{}, empty)
	assert.Empty(t, none)
}
