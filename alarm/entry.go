package alarm

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// An entry is one alert as the engine knows it. There are many, and most are like each other: what only
// some have stands behind pointers, and what many have in common is shared with their group.
type entry struct {
	fingerprint model.Fingerprint
	alert       *Alert
	hash        uint64
	verdict     *Verdict  // nil: nothing withholds it
	withheld    *withheld // nil: no suppressor ever gave a reason
	written     int64     // when it was last stored, in Unix nanoseconds
	ended       time.Time // when its end was noticed, while it is resolved
	groups      []*group  // not to be modified, nor
	receivers   []string  // of the routes that it matches
}

// withheld is what an entry knows of its reasons, beside its verdict.
type withheld struct {
	reasons [][]Suppression // by suppressor; nil if none ever gave one
	unheard []Suppression   // what withheld it when it ended, and still would
}

// unheard is what withheld the alert when it ended, and still would.
func (en *entry) unheard() []Suppression {
	if en.withheld == nil {
		return nil
	}
	return en.withheld.unheard
}

// keepUnheard sets what unheard returns.
func (en *entry) keepUnheard(s []Suppression) {
	if len(s) == 0 && en.withheld == nil {
		return
	}
	if en.withheld == nil {
		en.withheld = &withheld{}
	}
	en.withheld.unheard = s
}

// reasons are those of each suppressor, or nil if none ever gave one.
func (en *entry) reasons() [][]Suppression {
	if en.withheld == nil {
		return nil
	}
	return en.withheld.reasons
}

// reasonsOf are those that the n-th suppressor gave last.
func (en *entry) reasonsOf(n int) []Suppression {
	if en.reasons() == nil {
		return nil
	}
	return en.withheld.reasons[n]
}

// forgetReasons prepares for suppressors that are new.
func (en *entry) forgetReasons() {
	if en.withheld != nil {
		en.withheld.reasons = nil
	}
}

// keepReasons sets what the n-th of so many suppressors gives.
func (en *entry) keepReasons(n, of int, given []Suppression) {
	if en.withheld == nil {
		en.withheld = &withheld{}
	}
	if en.withheld.reasons == nil {
		en.withheld.reasons = make([][]Suppression, of)
	}
	en.withheld.reasons[n] = given
}

// changed is when it last became what it is, as far as is stored.
func (en *entry) changed() time.Time {
	if en.alert.State != Firing {
		return en.ended
	}
	return time.Unix(0, en.written)
}

// says returns the reasons of the suppressors before the n-th.
func (en *entry) says(n int) []Suppression {
	if en.reasons() == nil {
		return nil
	}
	return slices.Concat(en.reasons()[:n]...)
}

func (en *entry) isIn(g *group) bool { return slices.Contains(en.groups, g) }

// enter notes that the entry is in g. Entries that are in one group share the slice that says so.
func (en *entry) enter(g *group) {
	if len(en.groups) == 0 {
		g.alone[0] = g
		en.groups = g.alone[:1:1]
		return
	}
	en.groups = append(slices.Clip(en.groups), g)
}

func (en *entry) leave(g *group) {
	var rest []*group
	for _, o := range en.groups {
		if o != g {
			rest = append(rest, o)
		}
	}
	en.groups = rest
}

func sameSuppressions(a, b []Suppression) bool {
	return slices.EqualFunc(a, b, func(a, b Suppression) bool {
		return a.Fingerprint == b.Fingerprint && a.Reason == b.Reason && a.By == b.By && a.Rule == b.Rule &&
			a.Note == b.Note && a.Root == b.Root && a.Close == b.Close && a.Since.Equal(b.Since) && a.Until.Equal(b.Until)
	})
}
