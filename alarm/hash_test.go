package alarm

import (
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
)

func FuzzFingerprint(f *testing.F) {
	f.Add("alertname", "A3", "", "")
	f.Add("a", "b", "c", strings.Repeat("x", 2000))
	f.Add("\xff", "\xff\xff", "ä", "\x00")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		ls := model.LabelSet{model.LabelName(a): model.LabelValue(b), model.LabelName(c): model.LabelValue(d)}
		assert.Equal(t, ls.Fingerprint(), fingerprint(ls))
	})
}

// Both were computed by Alertmanager.
func TestKnownHashes(t *testing.T) {
	ls := model.LabelSet{"alertname": "A3"}
	a := Alert{Labels: ls}.WithFingerprint()
	assert.Equal(t, "061141434522c434", a.Fingerprint().String())
	assert.Equal(t, (&Alert{Labels: ls}).Fingerprint(), a.Fingerprint())
}

func BenchmarkFingerprint(b *testing.B) {
	ls := model.LabelSet{}
	for _, name := range strings.Fields("alertname cluster instance job namespace pod severity team env region") {
		ls[model.LabelName(name)] = model.LabelValue(strings.Repeat(name, 2))
	}
	for b.Loop() {
		fingerprint(ls)
	}
}
