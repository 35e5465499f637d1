package sqlstore

import (
	"errors"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// Each noun has a function that reads what its append function wrote. Fields that it does not know
// are skipped.

// decode reads one noun out of body with read.
func decode(r *reader, body []byte, read func(*reader)) error {
	r.b, r.i, r.depth, r.err = body, 0, 0, nil
	read(r)
	return r.end()
}

func (r *reader) alert(a *alarm.Alert) {
	r.fields(func(name []byte) {
		switch string(name) {
		case "labels":
			a.Labels = r.labels(true)
		case "annotations":
			a.Annotations = r.labels(false)
		case "generatorURL":
			a.GeneratorURL = r.shared()
		case "state":
			a.State = r.state()
		case "startsAt":
			a.StartsAt = r.time()
		case "endsAt":
			a.EndsAt = r.time()
		case "updatedAt":
			a.UpdatedAt = r.time()
		case "timeout":
			a.Timeout = r.bool()
		case "reports":
			r.list(func() {
				var report alarm.Report
				r.report(&report)
				a.Reports = append(a.Reports, report)
			})
		case "firstSeen":
			a.FirstSeen = r.time()
		case "fired":
			a.Fired = int(r.int())
		case "raisedBy":
			a.RaisedBy = r.shared()
		case "counts":
			a.Counts = new(alarm.Counts)
			r.counts(a.Counts)
		default:
			r.skip()
		}
	})
}

func (r *reader) counts(c *alarm.Counts) {
	r.fields(func(name []byte) {
		switch string(name) {
		case "since":
			c.Since = r.time()
		case "ended":
			c.Ended = r.time()
		case "firing":
			c.Firing = time.Duration(r.int())
		case "reopens":
			c.Reopens = int(r.int())
		case "flaps":
			c.Flaps = int(r.int())
		case "transients":
			c.Transients = int(r.int())
		case "flapping":
			c.Flapping = new(alarm.Flapping)
			r.flapping(c.Flapping)
		default:
			r.skip()
		}
	})
}

func (r *reader) flapping(f *alarm.Flapping) {
	r.fields(func(name []byte) {
		switch string(name) {
		case "since":
			f.Since = r.time()
		case "changes":
			f.Changes = int(r.int())
		case "noted":
			f.Noted = r.time()
		case "notedChanges":
			f.NotedChanges = int(r.int())
		default:
			r.skip()
		}
	})
}

func (r *reader) report(p *alarm.Report) {
	r.fields(func(name []byte) {
		switch string(name) {
		case "source":
			p.Source = r.shared()
		case "state":
			p.State = r.state()
		case "startsAt":
			p.StartsAt = r.time()
		case "endsAt":
			p.EndsAt = r.time()
		case "updatedAt":
			p.UpdatedAt = r.time()
		case "timeout":
			p.Timeout = r.bool()
		case "partial":
			p.Partial = r.bool()
		default:
			r.skip()
		}
	})
}

func (r *reader) state() alarm.State {
	s, _ := r.raw()
	for _, state := range []alarm.State{alarm.Firing, alarm.Pending, alarm.Resolved} {
		if string(s) == state.String() {
			return state
		}
	}
	r.fail(errors.New("unknown state"))
	return 0
}

func (r *reader) verdict(v *alarm.Verdict) {
	r.fields(func(name []byte) {
		switch string(name) {
		case "at":
			v.At = r.time()
		case "suppressions":
			r.list(func() {
				s := alarm.Suppression{Fingerprint: v.Fingerprint}
				r.suppression(&s)
				v.Suppressions = append(v.Suppressions, s)
			})
		default:
			r.skip()
		}
	})
}

func (r *reader) suppression(s *alarm.Suppression) {
	r.fields(func(name []byte) {
		switch string(name) {
		case "reason":
			s.Reason = alarm.Reason(r.shared())
		case "by":
			s.By = r.shared()
		case "root":
			s.Root = r.shared()
		case "close":
			s.Close = r.bool()
		case "rule":
			s.Rule = r.shared()
		case "note":
			s.Note = r.shared()
		case "since":
			s.Since = r.time()
		case "until":
			s.Until = r.time()
		default:
			r.skip()
		}
	})
}

func (r *reader) silence(s *alarm.Silence) {
	r.fields(func(name []byte) {
		switch string(name) {
		case "id":
			s.ID = r.text()
		case "matchers":
			r.list(func() { s.Matchers = append(s.Matchers, r.matcher()) })
		case "startsAt":
			s.StartsAt = r.time()
		case "endsAt":
			s.EndsAt = r.time()
		case "updatedAt":
			s.UpdatedAt = r.time()
		case "createdBy":
			s.CreatedBy = r.text()
		case "comment":
			s.Comment = r.text()
		case "annotations":
			for name, value := range r.labels(false) {
				if s.Annotations == nil {
					s.Annotations = map[string]string{}
				}
				s.Annotations[string(name)] = string(value)
			}
		default:
			r.window(name, s)
		}
	})
}

func (r *reader) matcher() *matcher.Matcher {
	var name, value, symbol string
	r.fields(func(field []byte) {
		switch string(field) {
		case "name":
			name = r.text()
		case "type":
			symbol = r.text()
		case "value":
			value = r.text()
		default:
			r.skip()
		}
	})
	t := matcher.Equal
	for t.String() != symbol {
		if t++; t > matcher.NotRegexp {
			r.fail(errors.New("unknown type of matcher"))
			return nil
		}
	}
	m, err := matcher.New(t, name, value)
	if err != nil {
		r.fail(err)
	}
	return m
}

func (r *reader) group() *alarm.Group {
	var g alarm.Group
	r.fields(func(name []byte) {
		switch string(name) {
		case "routeID":
			g.RouteID = r.shared()
		case "key":
			g.Key = r.shared()
		case "receiver":
			g.Receiver = r.shared()
		case "team":
			g.Team = r.shared()
		case "labels":
			g.Labels = r.labels(true)
		case "path":
			g.Path = r.strings()
		case "routeLabels":
			g.RouteLabels = r.labels(true)
		case "wait":
			g.Wait = time.Duration(r.int())
		case "interval":
			g.Interval = time.Duration(r.int())
		case "repeat":
			g.Repeat = time.Duration(r.int())
		default:
			r.skip()
		}
	})
	return &g
}

func (r *reader) groupState(g *alarm.GroupState) {
	r.fields(func(name []byte) {
		switch string(name) {
		case "group":
			g.Group = r.group()
		case "created":
			g.Created = r.time()
		case "anchor":
			g.Anchor = r.time()
		default:
			r.skip()
		}
	})
	if g.Group == nil {
		r.fail(errors.New("no group"))
	}
}

func (r *reader) told(t *alarm.Told) {
	r.fields(func(name []byte) {
		switch string(name) {
		case "at":
			t.At = r.time()
		case "firing":
			t.Sets.Firing = r.hashes()
		case "resolved":
			t.Sets.Resolved = r.hashes()
		case "note":
			t.Sets.Note = r.shared()
		case "open":
			t.Open = r.hashes()
		case "data":
			t.Data = r.bytes()
		case "ackedAt":
			t.Acked.At = r.time()
		case "ackedBy":
			t.Acked.By = r.shared()
		case "closedThere":
			t.ClosedThere = r.time()
		case "closedBy":
			t.ClosedBy = r.shared()
		default:
			r.skip()
		}
	})
}

func (r *reader) intention(in *alarm.Intention) {
	r.fields(func(name []byte) {
		switch string(name) {
		case "id":
			in.ID = r.int()
		case "receiver":
			in.Key.Receiver = r.shared()
		case "integration":
			in.Key.Integration = r.shared()
		case "group":
			in.Key.Group = r.shared()
		case "groupID":
			in.GroupID = r.shared()
		case "action":
			in.Action = r.action()
		case "reason":
			in.Reason = alarm.NotifyReason(r.shared())
		case "at":
			in.At = r.time()
		case "deadline":
			in.Deadline = r.time()
		default:
			r.skip()
		}
	})
}

func (r *reader) action() alarm.Action {
	s, _ := r.raw()
	for _, action := range []alarm.Action{alarm.Add, alarm.Update, alarm.Close} {
		if string(s) == action.String() {
			return action
		}
	}
	r.fail(errors.New("unknown action"))
	return 0
}

// fingerprint and column convert between a fingerprint and the signed integer of a column.
func fingerprint(column int64) model.Fingerprint { return model.Fingerprint(uint64(column)) }

func column(fp model.Fingerprint) int64 { return int64(uint64(fp)) }
