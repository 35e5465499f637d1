package apiv2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// A wireSilence is a silence as it is posted. What may not be absent is a pointer.
type wireSilence struct {
	ID          string            `json:"id"`
	Matchers    []*wireMatcher    `json:"matchers"`
	StartsAt    *wireTime         `json:"startsAt"`
	EndsAt      *wireTime         `json:"endsAt"`
	CreatedBy   *string           `json:"createdBy"`
	Comment     *string           `json:"comment"`
	Annotations map[string]string `json:"annotations"`
}

type wireMatcher struct {
	Name    *string `json:"name"`
	Value   *string `json:"value"`
	IsRegex *bool   `json:"isRegex"`
	IsEqual *bool   `json:"isEqual"`
}

// A wireTime is a time in any of the forms that Alertmanager accepts.
type wireTime struct{ time.Time }

// UnmarshalJSON reads a JSON string.
func (t *wireTime) UnmarshalJSON(raw []byte) error {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	if s == "" {
		t.Time = time.Unix(0, 0).UTC() // as there
		return nil
	}
	var err error
	for _, layout := range [...]string{
		time.RFC3339, "2006-01-02T15:04:05.000000Z0700", "2006-01-02T15:04:05.000Z0700", "2006-01-02T15:04:05",
		"2006-01-02T15:04Z", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02",
	} {
		if t.Time, err = time.ParseInLocation(layout, s, time.UTC); err == nil {
			t.Time = t.UTC()
			return nil
		}
	}
	return err
}

// decodeSilence reads a posted silence, by the rules that Alertmanager has for it at now. Those for
// what a silence may match are left to whoever sets it.
func decodeSilence(body []byte, now time.Time) (alarm.Silence, error) {
	var w wireSilence
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&w); errors.Is(err, io.EOF) {
		return alarm.Silence{}, required("silence in body")
	} else if err != nil {
		return alarm.Silence{}, &refusal{code: 400, message: fmt.Sprintf("parsing silence body from %q failed, because %v", "", err)}
	}
	if err := w.complete(); err != nil {
		return alarm.Silence{}, err
	}
	if !w.StartsAt.Before(w.EndsAt.Time) {
		return alarm.Silence{}, badRequest("Failed to create silence: start time must be before end time")
	}
	if w.EndsAt.Before(now) {
		return alarm.Silence{}, badRequest("Failed to create silence: end time can't be in the past")
	}
	s := alarm.Silence{
		ID: w.ID, StartsAt: w.StartsAt.Time, EndsAt: w.EndsAt.Time,
		CreatedBy: *w.CreatedBy, Comment: *w.Comment, Annotations: w.Annotations,
	}
	for i, m := range w.Matchers {
		parsed, err := m.parse()
		if err != nil {
			return alarm.Silence{}, badRequest("invalid silence: invalid label matcher %d in set 0: %w", i, err)
		}
		s.Matchers = append(s.Matchers, parsed)
	}
	return s, nil
}

// complete says what is missing, in the order in which Alertmanager looks.
func (w *wireSilence) complete() error {
	switch {
	case w.Comment == nil:
		return required("comment in body")
	case w.CreatedBy == nil:
		return required("createdBy in body")
	case w.EndsAt == nil:
		return required("endsAt in body")
	case w.Matchers == nil:
		return required("matchers in body")
	case len(w.Matchers) == 0:
		return &refusal{code: 612, message: "matchers in body should have at least 1 items"}
	}
	for i, m := range w.Matchers {
		switch {
		case m == nil:
			return required(fmt.Sprintf("matchers.%d in body", i))
		case m.IsRegex == nil:
			return required(fmt.Sprintf("matchers.%d.isRegex in body", i))
		case m.Name == nil:
			return required(fmt.Sprintf("matchers.%d.name in body", i))
		case m.Value == nil:
			return required(fmt.Sprintf("matchers.%d.value in body", i))
		}
	}
	if w.StartsAt == nil {
		return required("startsAt in body")
	}
	return nil
}

func (m *wireMatcher) parse() (*matcher.Matcher, error) {
	equal := m.IsEqual == nil || *m.IsEqual
	if !*m.IsRegex {
		if equal {
			return matcher.New(matcher.Equal, *m.Name, *m.Value)
		}
		return matcher.New(matcher.NotEqual, *m.Name, *m.Value)
	}
	// The error is about what was sent, not about what it becomes when it is anchored.
	if _, err := regexp.Compile(*m.Value); err != nil {
		return nil, fmt.Errorf("invalid regular expression %q: %w", *m.Value, err)
	}
	if equal {
		return matcher.New(matcher.Regexp, *m.Name, *m.Value)
	}
	return matcher.New(matcher.NotRegexp, *m.Name, *m.Value)
}
