package silence

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// Asked is a window in the words of who asks for it: what the API takes as JSON, the page as a form, and
// the command line as flags.
type Asked struct {
	Kind        string   `json:"kind,omitempty"` // window, which is the default, or silence
	Name        string   `json:"name,omitempty"`
	Cluster     string   `json:"cluster,omitempty"`
	Instance    string   `json:"instance,omitempty"`
	Environment string   `json:"environment,omitempty"`
	Team        string   `json:"team,omitempty"`
	Matchers    []string `json:"matchers,omitempty"` // each one matcher or a comma list
	Start       string   `json:"start,omitempty"`
	End         string   `json:"end,omitempty"`
	Duration    string   `json:"duration,omitempty"`
	RRule       string   `json:"rrule,omitempty"`
	Zone        string   `json:"zone,omitempty"`
	Lease       string   `json:"lease,omitempty"`
	Grace       string   `json:"grace,omitempty"`
	CloseOpen   bool     `json:"closeOpen,omitempty"`
	CreatedBy   string   `json:"createdBy,omitempty"`
	Comment     string   `json:"comment,omitempty"`
}

// ReadAsked reads the JSON of one window. It refuses what it does not know.
func ReadAsked(r io.Reader) (Asked, error) {
	var a Asked
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return Asked{}, refused("body", "send one JSON object with the fields of a window", "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Asked{}, refused("body", "send one window at a time", "something follows the JSON object")
	}
	return a, nil
}

// Plan returns the silence that it is to be, or a *RefusedError with everything that is wrong.
func (a *Asked) Plan(s interface {
	Plan(w Window) (*alarm.Silence, error)
},
) (*alarm.Silence, error) {
	w, wrong := a.window()
	planned, err := s.Plan(w)
	wrong.also(err)
	if len(wrong) == 0 && err != nil {
		return nil, err
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	return planned, nil
}

// window reads the words. What cannot be read gets a value that is no problem by itself.
func (a *Asked) window() (Window, problems) {
	var wrong problems
	w := Window{
		Kind: alarm.KindWindow, Name: strings.TrimSpace(a.Name), Start: strings.TrimSpace(a.Start), End: strings.TrimSpace(a.End),
		Scope: alarm.Scope{
			Cluster: strings.TrimSpace(a.Cluster), Instance: strings.TrimSpace(a.Instance),
			Environment: strings.TrimSpace(a.Environment), Team: strings.TrimSpace(a.Team),
		},
		Rule: strings.TrimSpace(a.RRule), Zone: strings.TrimSpace(a.Zone), CloseOpen: a.CloseOpen, CreatedBy: a.CreatedBy, Comment: a.Comment,
	}
	switch a.Kind {
	case "", string(alarm.ReasonWindow):
	case string(alarm.ReasonSilence):
		w.Kind = alarm.KindSilence
	default:
		wrong.add("kind", "write window or silence", "no kind %q can be asked for", shown(a.Kind))
	}
	for _, text := range a.Matchers {
		ms, err := matcher.Parse(text)
		if err != nil {
			wrong.add("matchers", `write some such as env="staging"`, "%q: %v", shown(text), err)
			ms = matcher.Matchers{{Name: "x", Value: "x"}}
		}
		w.Matchers = append(w.Matchers, ms...)
	}
	for _, of := range []struct {
		field, text string
		to          *time.Duration
	}{{"duration", a.Duration, &w.Duration}, {"lease", a.Lease, &w.Lease}, {"grace", a.Grace, &w.Grace}} {
		if of.text = strings.TrimSpace(of.text); of.text == "" {
			continue
		}
		d, err := model.ParseDuration(of.text)
		if err != nil || d == 0 && of.field != "grace" {
			wrong.add(of.field, "write one such as 30m, 2h or 1d", "%q is no duration", shown(of.text))
			d = model.Duration(time.Hour)
		}
		*of.to = time.Duration(d)
	}
	return w, wrong
}

// extension says how a window is to be extended.
type extension struct {
	For   string `json:"for"`
	Until string `json:"until"`
}

// ReadExtension reads the JSON of an extension, by for or until, for [Service.Extend]: nil renews the
// lease, as an empty body does.
func ReadExtension(body []byte) (func(end time.Time) time.Time, error) {
	var e extension
	if len(strings.TrimSpace(string(body))) > 0 {
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			return nil, refused("body", `send {"for": "1h"}, {"until": "2027-01-31T22:00:00Z"}, or nothing to renew a lease`, "%s", strings.TrimPrefix(err.Error(), "json: "))
		}
	}
	return Extension(e.For, e.Until)
}

// Extension returns what [Service.Extend] asks: longer by a duration, or until a time; neither renews
// the lease.
func Extension(longer, until string) (func(end time.Time) time.Time, error) {
	switch {
	case longer != "" && until != "":
		return nil, refused("for", "keep one of the two", "for and until exclude each other")
	case longer != "":
		d, err := model.ParseDuration(longer)
		if err != nil || d <= 0 {
			return nil, refused("for", "write one such as 30m, 2h or 1d", "%q is no duration", shown(longer))
		}
		return func(end time.Time) time.Time { return end.Add(time.Duration(d)) }, nil
	case until != "":
		at, err := ParseTime(until, time.UTC)
		if err != nil {
			return nil, inField("until", err)
		}
		return func(time.Time) time.Time { return at }, nil
	default:
		return nil, nil
	}
}
