package main_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestSenderFallsSilent has a vmalert missed that pushes, and is asked nothing: what it pushed is held
// beyond its end, until it is heard again and says otherwise.
func TestSenderFallsSilent(t *testing.T) { eachVMAlert(t, senderFallsSilent) }

func senderFallsSilent(t *testing.T, l *lab) {
	sink, address := newSink(t), loopback(t)
	va := l.VMAlert(address)
	va.Kill()
	va.args = append(va.args, "-rule.resendDelay=2s", "-external.label=site=lab") // each alert holds for 8 s
	s := startServer(t, pulling(sink, `{name: lab, type: push, expect_every: 6s, match: ['site="lab"']}`), "--web.listen-address="+address)
	p := paged{lab: l, ways: map[string]way{"push": {s, sink}}}
	va.Start()
	l.Set("mail", 20)
	p.told(t, "firing")

	va.Kill()
	eventually(t, sink.lastSaid("TocsinSourceDown", "firing"))
	beyond := time.Now().Add(8 * time.Second)
	eventually(t, func() error {
		if left := time.Until(beyond); left > 0 {
			return fmt.Errorf("what was pushed may hold for another %s", left)
		}
		return nil
	})
	p.unmoved(t, "Away")

	va.Start()
	eventually(t, sink.lastSaid("TocsinSourceDown", "resolved"))
	eventually(t, va.lists(2))
	p.unmoved(t, "Back")
	assert.NotEmpty(t, s.Alerts(`site="lab"`))
	p.ends(t)
}
