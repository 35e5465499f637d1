package apiv2

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

func (a *API) getSilences(w http.ResponseWriter, r *http.Request) error {
	v := r.URL.Query()
	filter, err := parseMatchers(v["filter"])
	if err != nil {
		return badRequest("%w", err)
	}
	wanted := map[alarm.SilenceState]bool{
		alarm.SilenceActive:  truth(v, "active"),
		alarm.SilencePending: truth(v, "pending"),
		alarm.SilenceExpired: truth(v, "expired"),
	}
	all, err := a.silences.List(r.Context())
	if err != nil {
		return fmt.Errorf("read silences: %w", err)
	}
	now := time.Now()
	var shown []*alarm.Silence
	for _, s := range all {
		if s = s.At(now); wanted[s.StateAt(now)] && names(s.Matchers, filter) {
			shown = append(shown, s)
		}
	}
	sortSilences(shown, now)
	out := newStream(w)
	defer out.close()
	out.list(func(next func()) bool {
		for _, s := range shown {
			next()
			out.b = appendSilence(out.b, s, now)
			if !out.flushed() {
				return false
			}
		}
		return true
	})
	return nil
}

// names says whether each matcher of a filter is among those of a silence.
func names(ms, filter matcher.Matchers) bool {
	for _, f := range filter {
		same := func(m *matcher.Matcher) bool { return m.Name == f.Name && m.Type == f.Type && m.Value == f.Value }
		if !slices.ContainsFunc(ms, same) {
			return false
		}
	}
	return true
}

// sortSilences sorts active ones first, the next to end on top; then pending ones, the next to
// begin on top; then expired ones, the last to end on top.
func sortSilences(list []*alarm.Silence, now time.Time) {
	rank := map[alarm.SilenceState]int{alarm.SilenceActive: 1, alarm.SilencePending: 2, alarm.SilenceExpired: 3}
	slices.SortFunc(list, func(x, y *alarm.Silence) int {
		state := x.StateAt(now)
		if c := cmp.Compare(rank[state], rank[y.StateAt(now)]); c != 0 {
			return c
		}
		c := x.EndsAt.Compare(y.EndsAt)
		switch state {
		case alarm.SilencePending:
			c = x.StartsAt.Compare(y.StartsAt)
		case alarm.SilenceExpired:
			c = -c
		}
		return cmp.Or(c, strings.Compare(x.ID, y.ID))
	})
}

func (a *API) getSilence(w http.ResponseWriter, r *http.Request) error {
	id, err := silenceID(r)
	if err != nil {
		return err
	}
	s, err := a.silences.Get(r.Context(), id)
	if err != nil {
		return fmt.Errorf("read silence: %w", err)
	}
	now := time.Now()
	out := newStream(w)
	defer out.close()
	out.b = append(appendSilence(out.b, s.At(now), now), '\n')
	return nil
}

func (a *API) deleteSilence(_ http.ResponseWriter, r *http.Request) error {
	id, err := silenceID(r)
	if err != nil {
		return err
	}
	return a.silences.Expire(r.Context(), id) // 200 without a body
}

func silenceID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if _, err := uuid.Parse(id); err != nil {
		return "", &refusal{code: 601, message: fmt.Sprintf("silenceID in path must be of type uuid: %q", id)}
	}
	return id, nil
}

func (a *API) postSilence(w http.ResponseWriter, r *http.Request) error {
	var body bytes.Buffer
	if err := a.readBody(&body, w, r); err != nil {
		return err
	}
	s, err := decodeSilence(body.Bytes(), time.Now())
	if err != nil {
		return err
	}
	id, err := a.silences.Set(r.Context(), s)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_ = writeJSON(w, struct {
		ID string `json:"silenceID"`
	}{id})
	return nil
}

func appendSilence(b []byte, s *alarm.Silence, now time.Time) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, s.ID, forHTML)
	b = append(b, `,"status":{"state":"`...)
	b = append(b, s.StateAt(now)...)
	b = append(b, `"},"updatedAt":"`...)
	b = appendTime(b, s.UpdatedAt)
	b = append(b, '"')
	if len(s.Annotations) > 0 {
		b = append(b, `,"annotations":`...)
		b = appendMap(b, s.Annotations)
	}
	b = append(b, `,"comment":`...)
	b = appendString(b, commentOf(s), forHTML)
	b = append(b, `,"createdBy":`...)
	b = appendString(b, s.CreatedBy, forHTML)
	b = append(b, `,"endsAt":"`...)
	b = appendTime(b, s.EndsAt)
	b = append(b, `","matchers":[`...)
	for i, m := range s.Matchers {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendMatcher(b, m)
	}
	b = append(b, `],"startsAt":"`...)
	b = appendTime(b, s.StartsAt)
	return append(b, `"}`...)
}

// commentOf is the comment, and of a window its name: there is no other place for it.
func commentOf(s *alarm.Silence) string {
	if s.Name == "" {
		return s.Comment
	}
	return strings.TrimSuffix(s.Kind.String()+" "+s.Name+": "+s.Comment, ": ")
}

func appendMatcher(b []byte, m *matcher.Matcher) []byte {
	equal := m.Type == matcher.Equal || m.Type == matcher.Regexp
	regex := m.Type == matcher.Regexp || m.Type == matcher.NotRegexp
	b = fmt.Appendf(b, `{"isEqual":%t,"isRegex":%t,"name":`, equal, regex)
	b = appendString(b, m.Name, forHTML)
	b = append(b, `,"value":`...)
	b = appendString(b, m.Value, forHTML)
	return append(b, '}')
}
