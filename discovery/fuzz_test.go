package discovery

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

type (
	labelName  = model.LabelName
	labelValue = model.LabelValue
)

// No bytes make the parser panic, and whatever it makes of them keeps the promises of a report.
func FuzzParse(f *testing.F) {
	for _, name := range documents(f) {
		a := document(f, name)
		f.Add(a.Status, a.ContentType, a.Body)
	}
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		a := Answer{Status: status, ContentType: contentType, Body: body}
		r := Parse(a)
		require.NotEqual(t, None, r.State)
		require.NotEmpty(t, r.Format)
		require.LessOrEqual(t, count(r.Nodes), maxNodes)
		seen := map[string]bool{}
		Walk(r.Nodes, func(path string, n *Node) {
			require.False(t, seen[path], "twice: %s", path)
			seen[path] = true
			require.NotEmpty(t, n.Name)
			require.True(t, utf8.ValidString(n.Name))
			require.LessOrEqual(t, len(n.Data), maxData)
		})
		again := Parse(a)
		require.Equal(t, r, again)
		text, err := json.Marshal(&r)
		require.NoError(t, err)
		var back Report
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, r.Hash, back.Hash)
		require.Equal(t, hash(&r), hash(&back), "what is kept says the same")

		before := Health{Report: Parse(Answer{Status: 200, Body: []byte(`{"status":"UP","components":{"a":{"status":"UP"},"zz":{"status":"DOWN"}}}`)})}
		_ = Carry(&before, Health{Report: r})
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"00:00:00.0066738", "1.02:03:04", "PT1M2S", "1.5ms", "-P1D"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := ParseDuration(s)
		if ok && d < 0 {
			t.Errorf("%q is negative: %s", s, d)
		}
	})
}
