package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/depgraph"
)

// A drawing is boxes with lines between them, in the units of the picture, and the same facts as a list.
type drawing struct {
	Width, Height int
	Boxes         []boxView
	Lines         []lineView
}

// A boxView is one box.
type boxView struct {
	X, Y     int
	Title    string // all of it
	Short    string // as much as there is room for
	Sub      string // what it explains, or where it is
	URL      string
	Tone     tone
	Bundle   bool
	Root     bool
	Gone     bool // nobody knows it any more
	Settling bool // a cause that does not fire any more
	Since    when
	Direct   int
	Explains int
	Count    int // alerts in it
	Causes   []causeOfBox
}

// A causeOfBox is a line as the table has it.
type causeOfBox struct {
	Title, URL string
	Rules      string
	Settling   bool
}

// A lineView is one line, as the path of a curve.
type lineView struct {
	Path     string
	Title    string
	Settling bool
}

// The measures of a drawing.
const (
	boxWidth  = 232
	boxHeight = 46
	boxGapX   = 64
	boxGapY   = 14
	drawEdge  = 8  // around everything
	boxRoom   = 27 // characters of a title
)

// draw places the boxes and the lines between them. It counts the lines for which there is no room.
func (m rower) draw(boxes []*box) (d drawing, unlinked int) {
	rows, layers := place(boxes)
	if len(boxes) == 0 {
		return d, 0
	}
	d.Width = layers*(boxWidth+boxGapX) - boxGapX + 2*drawEdge
	d.Height = rows*(boxHeight+boxGapY) - boxGapY + 2*drawEdge
	views := map[*box]*boxView{}
	for _, b := range boxes {
		v := m.boxView(b)
		v.X, v.Y = drawEdge+b.x*(boxWidth+boxGapX), drawEdge+b.y*(boxHeight+boxGapY)
		views[b] = &v
	}
	slices.SortFunc(boxes, func(a, b *box) int { return cmp.Or(cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x)) }) // as one reads
	for _, b := range boxes {
		to := views[b]
		for _, cause := range b.causes {
			from, l := views[cause], b.lines[cause]
			rules := clip(strings.Join(l.rules, ", "), longText)
			to.Causes = append(to.Causes, causeOfBox{Title: from.Title, URL: from.URL, Rules: rules, Settling: l.settling})
			if len(d.Lines) == graphLines {
				unlinked++
				continue
			}
			d.Lines = append(d.Lines, lineView{
				Path: curve(from.X+boxWidth, from.Y+boxHeight/2, to.X, to.Y+boxHeight/2), Settling: l.settling,
				Title: from.Title + " explains " + to.Title + also(", rule ", rules),
			})
		}
		d.Boxes = append(d.Boxes, *to)
	}
	return d, unlinked
}

// curve leaves to the right and arrives from the left.
func curve(x1, y1, x2, y2 int) string {
	bend := boxGapX / 2
	return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1+bend, y1, x2-bend, y2, x2, y2)
}

func (m rower) boxView(b *box) boxView {
	n := b.nodes[0]
	v := boxView{
		Bundle: b.bundled, Root: n.Root, Direct: n.Direct, Explains: n.Explains, Count: len(b.nodes),
		URL: alertLink(m.root, n.Fingerprint), Tone: tonePlain,
	}
	if n.Alert == nil {
		v.Gone, v.Sub = true, "not known any more"
		if v.Title = goneName(m.r, n); v.Title == "" {
			v.Title = n.Fingerprint.String()
		}
		v.Short = clip(v.Title, boxRoom)
		return v
	}
	v.Tone = m.scale.tone(m.scale.rank(n.Alert.Labels))
	v.Since = makeWhen(m.now, n.Alert.StartsAt)
	if b.bundled {
		m.bundle(&v, b)
		return v
	}
	v.Title, v.Short = alertTitle(n.Alert), clip(n.Alert.Name(), boxRoom)
	if v.Short == "" {
		v.Short = "(no name)"
	}
	v.Sub = strings.TrimPrefix(strings.TrimPrefix(v.Title, clip(n.Alert.Name(), shortText)), " on ")
	if v.Sub == v.Title || v.Sub == "" {
		v.Sub = clip(string(n.Alert.Labels["cluster"]), shortText)
	}
	if n.Explains > 0 {
		v.Sub = strings.TrimPrefix(fmt.Sprintf("%s · explains %d", clip(v.Sub, 16), n.Explains), " · ")
	}
	v.Sub = clip(v.Sub, boxRoom+6)
	return v
}

// bundle shows several alerts of one name. The box is as loud as the worst of them.
func (m rower) bundle(v *boxView, b *box) {
	name := b.nodes[0].Alert.Name()
	worst, first := m.scale.rank(b.nodes[0].Alert.Labels), b.nodes[0].Alert.StartsAt
	for _, n := range b.nodes[1:] {
		worst = min(worst, m.scale.rank(n.Alert.Labels))
		if n.Alert.StartsAt.Before(first) {
			first = n.Alert.StartsAt
		}
	}
	v.Tone, v.Since = m.scale.tone(worst), makeWhen(m.now, first)
	v.Title = fmt.Sprintf("%d × %s", len(b.nodes), clip(name, shortText))
	v.Short, v.Sub = clip(v.Title, boxRoom), "alerts, explained alike"
	of := query{Text: term(string(model.AlertNameLabel), name)}
	if len(b.causes) > 0 {
		of.Cause = b.causes[0].nodes[0].Fingerprint.String()
	}
	v.URL = of.link(m.root)
}

// goneName is what the alerts that still settle say of a cause that nobody knows any more.
func goneName(r *reading, cause *depgraph.DrawnNode) string {
	by := cause.Fingerprint.String()
	for i := range r.alerts {
		v := r.alerts[i].Verdict
		if v == nil {
			continue
		}
		for k := range v.Suppressions {
			if s := &v.Suppressions[k]; s.By == by && s.Note != "" {
				return clip(s.Note, shortText)
			}
		}
	}
	return ""
}
