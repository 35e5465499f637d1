package depgraph

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tocsin/tocsin/alarm"
)

func TestDraw(t *testing.T) {
	alert := func(s string) *alarm.Alert {
		a := alarm.Alert{Labels: set(s)}.WithFingerprint()
		return &a
	}
	root, middle, leaf, other, alone := alert("a=root"), alert("a=middle"), alert("a=leaf"), alert("a=other"), alert("a=alone")
	by := func(a *alarm.Alert, reason alarm.Reason, causes ...*alarm.Alert) alarm.Reading {
		v := &alarm.Verdict{}
		for _, c := range causes {
			v.Suppressions = append(v.Suppressions, alarm.Suppression{Reason: reason, By: c.Fingerprint().String(), Rule: "r"})
		}
		return alarm.Reading{Alert: a, Verdict: v}
	}
	gone := alert("a=gone")
	readings := []alarm.Reading{
		{Alert: root},
		by(middle, alarm.ReasonDependency, root), by(leaf, alarm.ReasonDependency, middle, root),
		by(other, alarm.ReasonInhibition, gone), by(alone, alarm.ReasonSilence, root),
	}
	d := Draw(readings, 0)
	assert.Equal(t, DrawnNode{Fingerprint: root.Fingerprint(), Alert: root, Direct: 2, Explains: 2, Root: true}, d.Nodes[0])
	assert.Len(t, d.Nodes, 5, "what is silenced is no part of it")
	assert.Len(t, d.Edges, 4)
	assert.Contains(t, d.Edges, DrawnEdge{Cause: gone.Fingerprint(), Impact: other.Fingerprint(), Rule: "r", Reason: alarm.ReasonInhibition, Settling: true})
	rand.Shuffle(len(readings), func(i, j int) { readings[i], readings[j] = readings[j], readings[i] })
	assert.Equal(t, d, Draw(readings, 0))
	cropped := Draw(readings, 2)
	assert.Equal(t, 3, cropped.Left)
	assert.Equal(t, d.Nodes[:2], cropped.Nodes)
}
