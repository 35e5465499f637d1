package cache

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/discovery"
)

// FuzzDetail decodes any bytes without harm, and what was encoded as it was.
func FuzzDetail(f *testing.F) {
	d := Detail{Environment: "x", Services: []ServiceDetail{{Health: discovery.Health{Raw: []byte("{}")}}}}
	b, err := d.encode(new([]byte))
	require.NoError(f, err)
	f.Add(b.Data)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := decodeDetail(data); err == nil {
			b, err := d.encode(new([]byte))
			require.NoError(t, err)
			again, err := decodeDetail(b.Data)
			require.NoError(t, err)
			require.Len(t, again.Services, len(d.Services))
			for i := range d.Services {
				require.Equal(t, string(d.Services[i].Raw), string(again.Services[i].Raw))
			}
		}
		_, _ = decodeVersion(data)
	})
}
