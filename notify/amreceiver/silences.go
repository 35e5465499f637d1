package amreceiver

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/alertmanager/silence/silencepb"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// ImportSilences reads Alertmanager's file of silences, sorted by ID. Silences that have ended are
// among them until their retention is over at now. A silence with several sets of matchers, of which
// one has to match, becomes one silence for each set: the first keeps the ID, those of the others
// are derived from it.
//
// If the file is damaged, the error says how far it could be read, and which silences are left out;
// the others are returned.
func ImportSilences(r io.Reader, now time.Time) ([]*alarm.Silence, error) {
	byID := map[string][]*alarm.Silence{}
	err := readSnapshot(r, func(e *silencepb.MeshSilence) error {
		s := e.GetSilence()
		if s.GetId() == "" {
			return errors.New("silence without an ID")
		}
		old, err := expired(e.GetExpiresAt(), now)
		if err == nil && old {
			delete(byID, s.GetId()) // the later entry counts
			return nil
		}
		var silences []*alarm.Silence
		if err == nil {
			silences, err = convertSilence(s)
		}
		if err != nil {
			return fmt.Errorf("silence %s: %w", s.GetId(), err)
		}
		byID[s.GetId()] = silences
		return nil
	})
	var all []*alarm.Silence
	for _, silences := range byID {
		all = append(all, silences...)
	}
	slices.SortFunc(all, func(a, b *alarm.Silence) int { return cmp.Compare(a.ID, b.ID) })
	return all, err
}

func convertSilence(s *silencepb.Silence) ([]*alarm.Silence, error) {
	if len(s.GetReceiverMatcherSets()) > 0 { // without them it would mute more than it was meant to
		return nil, errors.New("matchers of receivers are not supported")
	}
	if err := cmp.Or(s.GetStartsAt().CheckValid(), s.GetEndsAt().CheckValid(), s.GetUpdatedAt().CheckValid()); err != nil {
		return nil, fmt.Errorf("start, end or update: %w", err)
	}
	sets := s.GetMatcherSets()
	if len(sets) == 0 { // older versions know one set only
		sets = []*silencepb.MatcherSet{{Matchers: s.GetMatchers()}}
	}
	by, comment := s.GetCreatedBy(), s.GetComment()
	if comments := s.GetComments(); len(comments) > 0 { // the oldest files have a list of comments
		by, comment = comments[0].GetAuthor(), comments[0].GetComment()
	}
	var silences []*alarm.Silence
	for i, set := range sets {
		matchers, err := convertMatchers(set.GetMatchers())
		if err != nil {
			return nil, fmt.Errorf("matcher set %d: %w", i, err)
		}
		id := s.GetId()
		if i > 0 {
			id = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", id, i)).String()
		}
		silences = append(silences, &alarm.Silence{
			ID:          id,
			Matchers:    matchers,
			StartsAt:    s.GetStartsAt().AsTime(),
			EndsAt:      s.GetEndsAt().AsTime(),
			UpdatedAt:   s.GetUpdatedAt().AsTime(),
			CreatedBy:   by,
			Comment:     comment,
			Annotations: maps.Clone(s.GetAnnotations()),
		})
	}
	return silences, nil
}

func convertMatchers(in []*silencepb.Matcher) (matcher.Matchers, error) {
	if len(in) == 0 { // it would mute everything
		return nil, errors.New("no matchers")
	}
	var out matcher.Matchers
	for _, m := range in {
		typ := matcher.Equal
		switch m.GetType() {
		case silencepb.Matcher_EQUAL:
		case silencepb.Matcher_NOT_EQUAL:
			typ = matcher.NotEqual
		case silencepb.Matcher_REGEXP:
			typ = matcher.Regexp
		case silencepb.Matcher_NOT_REGEXP:
			typ = matcher.NotRegexp
		default:
			return nil, fmt.Errorf("unknown matcher type %d", m.GetType())
		}
		if !matcher.ValidName(m.GetName()) {
			return nil, fmt.Errorf("invalid label name %q", m.GetName())
		}
		built, err := matcher.New(typ, m.GetName(), m.GetPattern())
		if err != nil {
			return nil, fmt.Errorf("matcher of %q: %w", m.GetName(), err)
		}
		out = append(out, built)
	}
	return out, nil
}
