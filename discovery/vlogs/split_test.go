package vlogs

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzDocLines puts documents of any bytes into lines and together again.
func FuzzDocLines(f *testing.F) {
	f.Add([]byte(`{"status":"UP"}`), 4096)
	f.Add([]byte(strings.Repeat("é\x00\xff<&", 4000)), 5000)
	f.Fuzz(func(t *testing.T, raw []byte, limit int) {
		limit = max(4096, limit&0xFFFF)
		h := health("env", "service", now(), string(raw))
		lines, err := docLines(&h, "agent", limit)
		require.NoError(t, err)
		var all strings.Builder
		for i, l := range lines {
			require.LessOrEqual(t, len(l), limit)
			var d docRow
			require.NoError(t, json.Unmarshal(l, &d))
			require.Equal(t, i, d.Part)
			require.Equal(t, len(lines), d.Parts)
			all.WriteString(d.Doc)
		}
		var want string
		text, err := json.Marshal(string(raw))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &want))
		require.Equal(t, want, all.String())
	})
}
