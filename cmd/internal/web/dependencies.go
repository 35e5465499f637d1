package web

import (
	"context"
	"net/http"
	"time"
)

// How much of the graph is looked at, and how many boxes and lines are drawn of it.
const (
	graphNodes = 20_000
	graphBoxes = 120
	graphLines = 600
)

// A dependenciesPage draws what fires now: causes, what each explains, and how many.
type dependenciesPage struct {
	Frame    frame
	Drawing  drawing
	Causes   int // that nothing explains
	Impacts  int // alerts that something explains
	LeftOut  int // alerts that are not shown
	Unlinked int // lines that are not drawn
}

func (h *handler) serveDependencies(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	reading, err := h.readings.take(ctx)
	if err != nil {
		h.serveTrouble(w, r, err)
		return
	}
	h.render(w, r, http.StatusOK, "dependencies", h.dependenciesPage(time.Now(), reading, h.frame(r)))
}

func (h *handler) dependenciesPage(now time.Time, r *reading, f frame) dependenciesPage {
	f.Title = "Dependencies"
	p := dependenciesPage{Frame: f}
	graph := r.graph()
	for i := range graph.Nodes {
		if graph.Nodes[i].Root {
			p.Causes++
		} else {
			p.Impacts++
		}
	}
	p.Impacts += graph.Left // what explains the least is left out first
	boxes, left := boxesOf(graph, graphBoxes)
	p.LeftOut = graph.Left + left
	m := rower{now: now, r: r, scale: h.severities(), root: f.Root, limit: shortText}
	p.Drawing, p.Unlinked = m.draw(boxes)
	return p
}
