package depgraph

import (
	"encoding/json"
	"hash/fnv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// rowPart is whose the rows are.
const rowPart = "depgraph"

// A record is what a row keeps of one impact, by its fingerprint.
type record struct {
	Seen  time.Time    `json:"seen,omitzero"` // unless the alert itself says as much
	Stays []stayRecord `json:"stays,omitempty"`

	sum uint64 // of the row that it was read from
}

func sum(value []byte) uint64 {
	h := fnv.New64a()
	h.Write(value)
	return h.Sum64()
}

type stayRecord struct {
	Rule   string            `json:"rule"`
	First  time.Time         `json:"first"`
	From   time.Time         `json:"from,omitzero"` // unless it is First
	By     model.Fingerprint `json:"by"`
	Root   model.Fingerprint `json:"root,omitzero"` // unless it is By
	Name   string            `json:"name,omitempty"`
	Settle time.Time         `json:"settle,omitzero"`
	Over   bool              `json:"over,omitempty"`
	Heard  bool              `json:"heard,omitempty"`
	Check  time.Time         `json:"check,omitzero"` // if nobody knew last time, and somebody did before
}

func readRows(rows []alarm.Row) map[model.Fingerprint]record {
	records := map[model.Fingerprint]record{}
	for _, r := range rows {
		if r.Part != rowPart {
			continue
		}
		fp, err := model.ParseFingerprint(r.Key)
		if err != nil {
			continue
		}
		var rec record
		if json.Unmarshal(r.Value, &rec) != nil {
			rec = record{} // it is dropped at the first call
		}
		rec.sum = sum(r.Value)
		records[fp] = rec
	}
	return records
}

// restore takes in what was remembered before a restart. Nothing of that was later than now, unless the clock
// was set back since.
func (i *impact) restore(now time.Time, g *Graph, rec record) {
	i.stored, i.written = true, rec.sum
	i.changed = !rec.Seen.IsZero() && i.holdBack == 0
	if !rec.Seen.IsZero() {
		i.seen = sooner(rec.Seen, now)
	}
	for n := range g.rules {
		for _, sr := range rec.Stays {
			if sr.Rule != g.rules[n].key || g.rules[n].inhibits() {
				continue
			}
			st := stay{
				rule: n, first: sr.First, from: sr.From, by: sr.By, root: sr.Root, name: sr.Name, settle: sr.Settle, over: sr.Over,
				heard: sr.Heard, check: sooner(sr.Check, now.Add(g.untold)),
			}
			if st.from.IsZero() {
				st.from = st.first
			}
			if st.root == 0 {
				st.root = st.by
			}
			i.changed = i.changed || st.first.After(now)
			st.first, st.from = sooner(st.first, now), sooner(st.from, now)
			if st.heard {
				st.check = g.checkAfter(st.from, now)
			}
			st.settle = sooner(st.settle, now.Add(g.rules[n].Settle))
			i.stays = append(i.stays, st)
		}
	}
	if len(i.stays) != len(rec.Stays) {
		i.changed = true
	}
}

func sooner(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// row returns what is to be stored, if that is not stored already.
func (i *impact) row(g *Graph, fp model.Fingerprint) (alarm.Row, bool) {
	if !i.changed {
		return alarm.Row{}, false
	}
	i.changed = false
	row := alarm.Row{Part: rowPart, Key: fp.String()}
	var rec record
	if i.holdBack > 0 && !i.seen.Equal(i.implied) {
		rec.Seen = i.seen
	}
	for _, st := range i.stays {
		sr := stayRecord{Rule: g.rules[st.rule].key, First: st.first, By: st.by, Name: st.name, Settle: st.settle, Over: st.over}
		if !st.from.Equal(st.first) {
			sr.From = st.from
		}
		if st.root != st.by {
			sr.Root = st.root
		}
		if sr.Heard = st.heard; !st.heard && st.check.After(st.from.Add(g.untold)) {
			sr.Check = st.check
		}
		rec.Stays = append(rec.Stays, sr)
	}
	if rec.Seen.IsZero() && len(rec.Stays) == 0 {
		wasStored := i.stored
		i.stored = false
		return row, wasStored
	}
	value, err := json.Marshal(rec)
	if err != nil {
		panic("depgraph: a record that cannot be written: " + err.Error()) // times, text and numbers only
	}
	if now := sum(value); !i.stored || now != i.written { // it may have changed back
		row.Value, i.stored, i.written = value, true, now
		return row, true
	}
	return alarm.Row{}, false
}

// Overdue returns what a rule would still withhold the alert for, had it not done so for as long as it
// may: why an alert was told although a cause fires. It may be called at any time, by any goroutine.
func (s *Suppressor) Overdue(fp model.Fingerprint) []alarm.Suppression {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[fp]
	if n == nil || n.impact == nil {
		return nil
	}
	var all []alarm.Suppression
	for i := range n.stays {
		st := &n.stays[i]
		if !st.over {
			continue
		}
		r := &s.graph.rules[st.rule]
		why := alarm.Suppression{
			Fingerprint: fp, Reason: alarm.ReasonDependency, By: st.by.String(), Rule: r.Name,
			Note: st.name + ", for longer than the rule withholds", Since: st.first,
		}
		if st.root != st.by {
			why.Root = st.root.String()
		}
		if r.Max > 0 {
			why.Until = st.first.Add(r.Max)
		}
		all = append(all, why)
	}
	return all
}
