package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// roll is the answer of GET /api/v1/leader: who leads, as far as this server knows.
type roll struct {
	Leads  bool       `json:"leads"`            // this server does
	Self   string     `json:"self"`             // the address of this server
	Leader string     `json:"leader,omitempty"` // of the one that leads; nobody if empty
	Since  *time.Time `json:"since,omitempty"`
	Age    float64    `json:"truthAgeSeconds"` // of what this server shows
}

// roll says who leads.
func (s *server) roll(ctx context.Context) roll {
	r := roll{Leads: s.leads(), Self: ownName(s.flags, s.member.listeners)}
	if s.follower != nil {
		l := s.follower.now()
		r.Leader, r.Age = l.Name, max(s.follower.age(), 0).Seconds()
		if !l.Since.IsZero() {
			r.Since = &l.Since
		}
		return r
	}
	r.Leader = r.Self
	if since := s.lease.since.Load(); since != nil {
		r.Since = since
	} else if l, err := s.db.Leadership(ctx); err == nil && l.Ours && !l.Since.IsZero() {
		s.lease.since.Store(&l.Since)
		r.Since = &l.Since
	}
	return r
}

func (s *server) serveRoll(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(s.roll(r.Context())) // the client went away
}

// rollWords says who leads, for the foot of a page. Where nobody else can, nothing is said.
func (s *server) rollWords(ctx context.Context) string {
	if !s.member.shared {
		return ""
	}
	r := s.roll(ctx)
	since := ""
	if r.Since != nil {
		since = " since " + r.Since.UTC().Format("2006-01-02 15:04:05 MST")
	}
	switch {
	case r.Leads:
		return fmt.Sprintf("%s leads%s; it is this server", r.Leader, since)
	case r.Leader == "":
		return "nobody leads at the moment; this is " + r.Self
	default:
		return fmt.Sprintf("%s leads%s; this is %s", r.Leader, since, r.Self)
	}
}

// readyWords is what /-/ready answers when all is well.
func (s *server) readyWords() string {
	switch {
	case !s.member.shared:
		return "OK"
	case s.follower == nil: // it is asked only while the lease holds
		return "OK: leads"
	}
	if leader := s.follower.leader(); leader != "" {
		return "OK: follows " + leader
	}
	return "OK: follows, and nobody leads"
}

// leads says whether this server leads, as far as it surely knows.
func (s *server) leads() bool { return s.lease != nil && s.lease.holds() }
