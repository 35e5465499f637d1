package alarm

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// An entry is one alert as the engine knows it.
type entry struct {
	fingerprint model.Fingerprint
	alert       *Alert
	hash        uint64
	ended       time.Time       // when its end was noticed, while it is resolved
	unheard     []Suppression   // what withheld it when it ended, and still would
	written     time.Time       // when it was last stored
	reasons     [][]Suppression // by suppressor; nil if none ever gave one
	verdict     *Verdict        // nil: nothing withholds it
	groups      []*group
	receivers   []string // of the routes that it matches
}

// changed is when it last became what it is, as far as is stored.
func (en *entry) changed() time.Time {
	if en.alert.State != Firing {
		return en.ended
	}
	return en.written
}

// says returns the reasons of the suppressors before the n-th.
func (en *entry) says(n int) []Suppression {
	if en.reasons == nil {
		return nil
	}
	return slices.Concat(en.reasons[:n]...)
}

// a group of one entry's alert, by ID.
func (en *entry) isIn(g *group) bool { return slices.Contains(en.groups, g) }

func sameSuppressions(a, b []Suppression) bool {
	return slices.EqualFunc(a, b, func(a, b Suppression) bool {
		return a.Fingerprint == b.Fingerprint && a.Reason == b.Reason && a.By == b.By && a.Rule == b.Rule &&
			a.Note == b.Note && a.Root == b.Root && a.Close == b.Close && a.Since.Equal(b.Since) && a.Until.Equal(b.Until)
	})
}
