package web

import (
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// A receiverBox is how one receiver stands towards an alert: by groups, by the alert alone, or both.
type receiverBox struct {
	Receiver string
	Words    []string // one for each part, but for those that nobody is told of
	Parts    []partView
}

// A partView is one group that the alert is in.
type partView struct {
	Level    bool
	Team     string
	Labels   []pair
	Path     []string // none: that of the part before
	SamePath bool
	Stands   bool // the receiver is told in place of another that could not be
	Past     bool
	Wait     string
	Interval string
	Repeat   string
	Created  when
	First    when // the first flush
	Next     when
	MutedBy  []string
	Told     []channelView
	Open     []channelView
}

// receiverBoxes joins the groups of each receiver, in the order in which the receivers come first.
func (m rower) receiverBoxes(x *alarm.Explanation) []receiverBox {
	var boxes []receiverBox
	for i := range x.Groups {
		g := &x.Groups[i]
		if g.Silent && speaks(x.Groups, g.Group.Receiver) {
			continue // another part of the same receiver is told
		}
		name := clip(g.Group.Receiver, shortText)
		n := slices.IndexFunc(boxes, func(b receiverBox) bool { return b.Receiver == name })
		if n < 0 {
			n = len(boxes)
			boxes = append(boxes, receiverBox{Receiver: name})
		}
		part := m.part(g, !x.At.IsZero())
		if before := boxes[n].Parts; len(before) > 0 && slices.Equal(before[0].Path, part.Path) {
			part.SamePath = true
		}
		words := groupWords(m.now, x.Reading, g)
		if part.Past {
			words = pastGroupWords(x.At, x.Reading, g)
		}
		boxes[n].Parts = append(boxes[n].Parts, part)
		if !slices.Contains(boxes[n].Words, words) {
			boxes[n].Words = append(boxes[n].Words, words)
		}
	}
	return boxes
}

// speaks says whether some group of the receiver has somebody to tell.
func speaks(groups []alarm.GroupExplanation, receiver string) bool {
	return slices.ContainsFunc(groups, func(g alarm.GroupExplanation) bool { return g.Group.Receiver == receiver && !g.Silent })
}

// fallbackRoute ends the route of a group whose receiver stands in for another.
const fallbackRoute = "\x00fallback"

func (m rower) part(g *alarm.GroupExplanation, past bool) partView {
	v := partView{
		Level: g.Level, Team: clip(g.Group.Team, shortText), Past: past, Stands: strings.HasSuffix(g.Group.RouteID, fallbackRoute),
		Wait: model.Duration(g.Group.Wait).String(), Interval: model.Duration(g.Group.Interval).String(), Repeat: model.Duration(g.Group.Repeat).String(),
		Created: makeWhen(m.now, g.State.Created), First: makeWhen(m.now, g.State.Anchor),
	}
	if !past {
		v.Next = makeWhen(m.now, nextFlush(m.now, g))
	}
	for _, name := range sortedNames(g.Group.Labels) {
		if len(v.Labels) < m.pairs {
			v.Labels = append(v.Labels, m.label(name, g.Group.Labels[name]))
		}
	}
	for _, step := range g.Group.Path {
		v.Path = append(v.Path, clip(step, longText))
	}
	for _, by := range g.MutedBy {
		v.MutedBy = append(v.MutedBy, clip(by, shortText))
	}
	v.Told, v.Open = channelViews(m.now, g)
	if past {
		for _, name := range g.ToldAlert {
			v.Told = append(v.Told, channelView{Integration: clip(name, shortText), Words: "knew that this alert fired"})
		}
	}
	return v
}
