package sqlstore

import (
	"time"

	"github.com/tocsin/tocsin/alarm"
)

// appendWindow appends what a silence has beyond Alertmanager's. A plain one has nothing, so rows that
// were written before there were windows read as what they are.
func appendWindow(b []byte, s *alarm.Silence) []byte {
	b = appendText(b, "kind", string(s.Kind))
	b = appendText(b, "name", s.Name)
	b = appendText(b, "cluster", s.Scope.Cluster)
	b = appendText(b, "instance", s.Scope.Instance)
	b = appendText(b, "environment", s.Scope.Environment)
	b = appendText(b, "team", s.Scope.Team)
	if r := s.Recurrence; r != nil {
		b = append(appendKey(b, "recurrence"), '{')
		b = appendText(b, "rule", r.Rule)
		b = appendText(b, "zone", r.Zone)
		b = appendText(b, "start", r.Start)
		b = appendInt(b, "duration", int64(r.Duration))
		b = append(b, '}')
	}
	if len(s.Exceptions) > 0 {
		b = append(appendKey(b, "exceptions"), '[')
		for i, x := range s.Exceptions {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '{')
			b = appendTime(b, "start", x.Start)
			b = appendTime(b, "end", x.End)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	b = appendInt(b, "lease", int64(s.Lease))
	b = appendInt(b, "grace", int64(s.Grace))
	b = appendTrue(b, "closeOpen", s.CloseOpen)
	return appendTrue(b, "fromFile", s.FromFile)
}

// window reads one field of those.
func (r *reader) window(name []byte, s *alarm.Silence) {
	switch string(name) {
	case "kind":
		s.Kind = alarm.SilenceKind(r.text())
	case "name":
		s.Name = r.text()
	case "cluster":
		s.Scope.Cluster = r.text()
	case "instance":
		s.Scope.Instance = r.text()
	case "environment":
		s.Scope.Environment = r.text()
	case "team":
		s.Scope.Team = r.text()
	case "recurrence":
		s.Recurrence = &alarm.Recurrence{}
		r.recurrence(s.Recurrence)
	case "exceptions":
		r.list(func() { s.Exceptions = append(s.Exceptions, r.span()) })
	case "lease":
		s.Lease = time.Duration(r.int())
	case "grace":
		s.Grace = time.Duration(r.int())
	case "closeOpen":
		s.CloseOpen = r.bool()
	case "fromFile":
		s.FromFile = r.bool()
	default:
		r.skip()
	}
}

func (r *reader) recurrence(to *alarm.Recurrence) {
	r.fields(func(name []byte) {
		switch string(name) {
		case "rule":
			to.Rule = r.text()
		case "zone":
			to.Zone = r.text()
		case "start":
			to.Start = r.text()
		case "duration":
			to.Duration = time.Duration(r.int())
		default:
			r.skip()
		}
	})
}

func (r *reader) span() (s alarm.Span) {
	r.fields(func(name []byte) {
		switch string(name) {
		case "start":
			s.Start = r.time()
		case "end":
			s.End = r.time()
		default:
			r.skip()
		}
	})
	return s
}
