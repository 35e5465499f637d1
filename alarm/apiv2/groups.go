package apiv2

import (
	"fmt"
	"net/http"
	"time"

	"github.com/tocsin/tocsin/alarm"
)

func (a *API) getGroups(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r.URL.Query(), a.engine.Receivers())
	if err != nil {
		return err
	}
	groups, err := a.engine.GroupsMatching(r.Context(), q.narrow())
	if err != nil {
		return fmt.Errorf("read groups: %w", err)
	}
	out := newStream(w)
	defer out.close()
	until := time.Now().Add(lasting)
	out.list(func(next func()) bool {
		for i := range groups {
			g := &groups[i]
			if !q.muted && len(g.MutedBy) > 0 || !q.reaches([]string{g.Group.Receiver}) {
				continue
			}
			if !out.group(g, q, until, next) {
				return false
			}
		}
		return true
	})
	return nil
}

// group writes one group, unless none of its alerts is asked for. It is false when the client is gone.
func (s *stream) group(g *alarm.GroupReading, q *query, until time.Time, next func()) bool {
	empty := true
	for i := range g.Alerts {
		if i%ahead == 0 {
			s.warmed += warm(g.Alerts[i:min(i+ahead, len(g.Alerts))])
		}
		r := &g.Alerts[i]
		st := statusOfReading(r, nil)
		if !q.wants(r.Alert, &st) { // that its group is muted does not make it less active
			continue
		}
		if len(g.MutedBy) > 0 {
			st = statusOfReading(r, g.MutedBy)
		}
		if empty {
			next()
			s.b = append(s.b, `{"alerts":[`...)
			empty = false
		} else {
			s.b = append(s.b, ',')
		}
		s.b = s.encoder.appendAlert(s.b, r.Alert, &st, q.among(r.Receivers), until)
		if !s.flushed() {
			return false
		}
	}
	if empty {
		return true
	}
	s.b = append(s.b, `],"labels":`...)
	s.b = appendLabels(s.b, g.Group.Labels, asIs)
	s.b = append(s.b, `,"receiver":{"name":`...)
	s.b = appendString(s.b, g.Group.Receiver, asIs)
	s.b = append(s.b, `},"routeLabels":`...)
	s.b = appendLabels(s.b, g.Group.RouteLabels, asIs)
	s.b = append(s.b, '}')
	return s.flushed()
}
