package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCounterCountsAcrossWrites(t *testing.T) {
	text := strings.Repeat(`x{"fingerprint":"0123","fingerprint":"4567"}`, 20)
	for size := 1; size <= len(text); size++ {
		var c counter
		for rest := []byte(text); len(rest) > 0; {
			n := min(size, len(rest))
			_, err := c.Write(rest[:n])
			require.NoError(t, err)
			rest = rest[n:]
		}
		assert.Equal(t, 40, c.found, "in pieces of %d bytes", size)
	}
}

func TestBatches(t *testing.T) {
	all := batches(0, 150, 0)
	require.Len(t, all, 3)
	n := 0
	for _, body := range all {
		var alerts []struct{ Labels, Annotations map[string]string }
		require.NoError(t, json.Unmarshal(body, &alerts))
		for _, a := range alerts {
			assert.Len(t, a.Labels, 10)
			assert.Len(t, a.Annotations, 3)
			n++
		}
	}
	assert.Equal(t, 150, n)
}

func TestTable(t *testing.T) {
	am, ours := figures{name: "alertmanager"}, figures{name: "tocsin"}
	am.all = []figure{{"read", "CPU-ms", 500}, {"push", "CPU-s", 50}, {"nothing", "ms", 0}}
	ours.all = []figure{{"read", "CPU-ms", 10}, {"push", "CPU-s", 45}, {"nothing", "ms", 1}}
	var b bytes.Buffer
	printTable(&b, options{alerts: 100}, []figures{am, ours})
	assert.Equal(t, `100 alerts, 1000 groups, 4 connections

     work  alertmanager  tocsin    unit  ratio
     read           500      10  CPU-ms   1/50
     push            50      45   CPU-s   0.90
  nothing             0       1      ms
`, b.String())
}
