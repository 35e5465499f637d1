package discovery

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the reports of testdata/documents anew")

// document reads one of testdata/documents.
func document(t testing.TB, name string) Answer {
	text, err := os.ReadFile(filepath.Join("testdata", "documents", name+".txt"))
	require.NoError(t, err)
	head, body, _ := strings.Cut(string(text), "\n")
	code, contentType, _ := strings.Cut(head, " ")
	status, err := strconv.Atoi(code)
	require.NoError(t, err, name)
	return Answer{Status: status, ContentType: contentType, Body: []byte(body)}
}

func documents(t testing.TB) []string {
	files, err := filepath.Glob("testdata/documents/*.txt")
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".txt"))
	}
	require.NotEmpty(t, names)
	return names
}

// print writes a report so that a person can judge it.
func print(r *Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Format, r.State)
	for _, word := range []struct{ name, value string }{
		{"why", string(r.Why)},
		{"status", r.RawStatus},
		{"service", r.Service},
		{"version", r.Version},
		{"release", r.Release},
		{"message", r.Message},
	} {
		if word.value != "" {
			fmt.Fprintf(&b, " %s=%q", word.name, word.value)
		}
	}
	if r.Duration != NotGiven {
		fmt.Fprintf(&b, " duration=%s", r.Duration)
	}
	if r.Operations != NotGiven || r.FailedOperations != NotGiven {
		fmt.Fprintf(&b, " operations=%d failed=%d", r.Operations, r.FailedOperations)
	}
	for _, flag := range []struct {
		name string
		set  bool
	}{{"contradicts", r.Contradicts}, {"partial", r.Partial}, {"truncated", r.Truncated}, {"mismatch", r.Mismatch}} {
		if flag.set {
			b.WriteString(" " + flag.name)
		}
	}
	b.WriteByte('\n')
	for _, kv := range r.Data {
		fmt.Fprintf(&b, "  . %s = %q\n", kv.Key, kv.Value)
	}
	Walk(r.Nodes, func(path string, n *Node) {
		indent := strings.Repeat("  ", 1+strings.Count(path, "/"))
		fmt.Fprintf(&b, "%s%s: %s", indent, path, n.State)
		for _, word := range []struct{ name, value string }{
			{"status", n.RawStatus},
			{"kind", n.Kind},
			{"value", n.Value + n.Unit},
			{"message", n.Message},
			{"error", n.Error},
			{"tags", strings.Join(n.Tags, ",")},
			{"shared", n.Shared},
		} {
			if word.value != "" {
				fmt.Fprintf(&b, " %s=%q", word.name, word.value)
			}
		}
		if n.Duration != NotGiven {
			fmt.Fprintf(&b, " duration=%s", n.Duration)
		}
		if !n.CheckedAt.IsZero() {
			fmt.Fprintf(&b, " at=%s", n.CheckedAt.Format(time.RFC3339Nano))
		}
		b.WriteByte('\n')
		for _, kv := range n.Data {
			fmt.Fprintf(&b, "%s  . %s = %q\n", indent, kv.Key, kv.Value)
		}
	})
	return b.String()
}

func TestDocuments(t *testing.T) {
	for _, name := range documents(t) {
		t.Run(name, func(t *testing.T) {
			r := Parse(document(t, name))
			file := filepath.Join("testdata", "documents", name+".report")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(print(&r)), 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), print(&r))
		})
	}
}
