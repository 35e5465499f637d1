package web

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/silence"
)

// Maintenance keeps windows and silences. It refuses with a *[silence.RefusedError].
type Maintenance interface {
	// List returns all that are kept, expired ones too.
	List(ctx context.Context) ([]*alarm.Silence, error)

	// Plan returns what a window is to be, and Preview what that would hit. Start has it mute.
	Plan(w silence.Window) (*alarm.Silence, error)
	Preview(ctx context.Context, planned *alarm.Silence) (silence.Preview, error)
	Start(ctx context.Context, planned *alarm.Silence) (id string, err error)

	// Extend and End change one that is known, as [silence.Service] does.
	Extend(ctx context.Context, id string, end func(time.Time) time.Time) (*alarm.Silence, error)
	End(ctx context.Context, id string, series bool) (*alarm.Silence, error)
}

// A maintenancePage lists what is planned, and asks for more.
type maintenancePage struct {
	Frame    frame
	Asked    silence.Asked
	Lines    string // the matchers, as the form shows them
	Problems []silence.Problem
	Preview  *previewView
	Said     string // what was just done
	Sections []windowSection
}

// A windowSection is the windows of one state.
type windowSection struct {
	Title   string
	Nothing string
	Windows []windowView
	More    int // that are not shown
}

// A windowView is one window or silence.
type windowView struct {
	ID       string
	Kind     string
	Name     string
	Scope    []pair
	Matchers []string
	Start    when
	End      when
	Length   string
	Rule     string
	Next     []when // the occurrences after that one
	Lease    string
	Grace    string
	Close    bool
	FromFile bool
	By       string
	Comment  string
	Ended    bool
	Active   bool
	Series   bool   // the whole of it can be ended
	Broken   string // why it never mutes
}

// A previewView is what a window would hit.
type previewView struct {
	silence.Preview
	Of    string // which one, if it is there already
	Rows  []hitView
	Since when
}

type hitView struct {
	Name    string
	URL     string
	Guarded bool
	Already bool
	Labels  []pair
	Starts  when
}

// How many windows a section shows. There may be thousands.
const sectionWindows = 200

func (h *handler) maintenancePage(now time.Time, all []*alarm.Silence, f frame) maintenancePage {
	f.Title = "Maintenance"
	p := maintenancePage{Frame: f, Sections: []windowSection{
		{Title: "Under way", Nothing: "Nothing is muted at the moment."},
		{Title: "Coming", Nothing: "Nothing is planned."},
		{Title: "Past", Nothing: "Nothing has ended lately."},
	}}
	at := map[alarm.SilenceState]int{alarm.SilenceActive: 0, alarm.SilencePending: 1, alarm.SilenceExpired: 2}
	shown := make([][]*alarm.Silence, len(p.Sections))
	for _, s := range all {
		n := at[s.StateAt(now)]
		shown[n] = append(shown[n], s)
	}
	for n, list := range shown {
		slices.SortStableFunc(list, func(a, b *alarm.Silence) int { return compareWindows(n, a.At(now), b.At(now)) })
		section := &p.Sections[n]
		section.More = max(0, len(list)-sectionWindows)
		for _, s := range list[:len(list)-section.More] {
			section.Windows = append(section.Windows, windowViewOf(now, s))
		}
	}
	return p
}

// compareWindows puts on top what ends next, what begins next, or what ended last.
func compareWindows(section int, a, b *alarm.Silence) int {
	by := a.EndsAt.Compare(b.EndsAt)
	switch section {
	case 1:
		by = a.StartsAt.Compare(b.StartsAt)
	case 2:
		by = -by
	}
	return cmp.Or(by, cmp.Compare(a.ID, b.ID))
}

func windowViewOf(now time.Time, s *alarm.Silence) windowView {
	shown := s.At(now)
	state := s.StateAt(now)
	v := windowView{
		ID: s.ID, Kind: s.Kind.String(), Name: clip(s.Name, shortText),
		Start: makeWhen(now, shown.StartsAt), End: makeWhen(now, shown.EndsAt), Length: lengthOf(shown.EndsAt.Sub(shown.StartsAt)),
		By: clip(s.CreatedBy, shortText), Comment: clip(s.Comment, longText), Close: s.CloseOpen, FromFile: s.FromFile,
		Active: state == alarm.SilenceActive, Ended: state == alarm.SilenceExpired, Series: s.Recurrence != nil && !s.FromFile,
	}
	for _, of := range []pair{{Name: "cluster", Value: s.Scope.Cluster}, {Name: "instance", Value: s.Scope.Instance}, {Name: "environment", Value: s.Scope.Environment}, {Name: "team", Value: s.Scope.Team}} {
		if of.Value != "" {
			v.Scope = append(v.Scope, pair{Name: of.Name, Value: clip(of.Value, shortText)})
		}
	}
	for _, m := range s.Matchers {
		v.Matchers = append(v.Matchers, clip(m.String(), shortText))
	}
	if s.Lease > 0 {
		v.Lease = lengthOf(s.Lease)
	}
	if s.Grace > 0 {
		v.Grace = lengthOf(s.Grace)
	}
	if r := s.Recurrence; r != nil {
		v.Rule = clip(r.Rule+", from "+r.Start+" in "+r.Zone, longText)
		ahead := s.Ahead(now, 4)
		for _, o := range ahead[min(1, len(ahead)):] {
			v.Next = append(v.Next, makeWhen(now, o.Start))
		}
		if _, err := silence.Compile(s); err != nil {
			v.Broken = clip(err.Error(), longText)
		}
	}
	return v
}

func lengthOf(d time.Duration) string { return model.Duration(d.Round(time.Second)).String() }

func previewViewOf(now time.Time, p silence.Preview, root string) *previewView {
	v := &previewView{Preview: p, Since: makeWhen(now, p.Since)}
	for _, hit := range p.Hits {
		row := hitView{
			Name: clip(string(hit.Labels[model.AlertNameLabel]), shortText), URL: alertLink(root, hit.Fingerprint),
			Guarded: hit.Guarded, Already: hit.Withheld, Starts: makeWhen(now, hit.StartsAt),
		}
		for _, name := range sortedNames(hit.Labels) {
			if name != model.AlertNameLabel && len(row.Labels) < fewPairs {
				row.Labels = append(row.Labels, pair{Name: clip(string(name), shortText), Value: clip(string(hit.Labels[name]), shortText)})
			}
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// fewPairs is how many labels of an alert a preview shows.
const fewPairs = 8

// askedLines are the matchers of what was asked for, one in a line.
func askedLines(a silence.Asked) string { return strings.Join(a.Matchers, "\n") }
