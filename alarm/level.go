package alarm

import (
	"cmp"
	"time"
)

// A level group holds one alert. Here is what is different about its channels: they are told at once, are
// told what is unusual about the alert, are reminded at growing intervals, and are closed when another
// alert explains it.

// noteEvery is how often at most a level-triggered channel is told something that changes no state.
const noteEvery = 30 * time.Minute

// the returns the alert of a level group, or nil if it has none any more.
func (g *group) the() *entry {
	if g.level {
		for _, en := range g.members { // there is at most one
			return en
		}
	}
	return nil
}

// note is what is unusual about the alert.
func (g *group) note() string {
	if en := g.the(); en != nil && en.alert.State == Firing {
		return en.alert.Occurrences().Note()
	}
	return ""
}

// noteworthy says that there is a new note about what the remote has open, and that the last word is
// long enough ago.
func (g *group) noteworthy(told *Told, s ToldSets, now time.Time) bool {
	return g.level && told != nil && s.Note != "" && s.Note != told.Sets.Note && len(s.Firing) > 0 &&
		!told.At.After(now.Add(-noteEvery))
}

// noteDue is when a note can be told that is not told yet, or zero.
func (g *group) noteDue(told *Told) time.Time {
	if !g.level || told == nil || len(told.Sets.Firing) == 0 {
		return time.Time{}
	}
	if note := g.note(); note == "" || note == told.Sets.Note {
		return time.Time{}
	}
	return told.At.Add(noteEvery)
}

// notes are what people are to read beside the state: why it was opened again, what is unusual, and why
// it is closed although it fires.
func (g *group) notes(told *Told, s ToldSets) []string {
	en := g.the()
	if en == nil {
		return nil
	}
	var notes []string
	if told != nil && !told.ClosedThere.IsZero() && len(s.Firing) > 0 {
		notes = append(notes, "Opened again, for it still fires: closed there by "+cmp.Or(told.ClosedBy, "somebody")+".")
	}
	if told != nil && s.Note != "" && s.Note != told.Sets.Note {
		notes = append(notes, s.Note)
	}
	if en.alert.State == Firing && len(s.Firing) == 0 {
		for _, why := range en.verdict.reasons() {
			if why.Close {
				notes = append(notes, "It still fires, and is closed here: "+why.words()+".")
			}
		}
	}
	return notes
}

// words says for people what withholds an alert.
func (s *Suppression) words() string {
	words := string(s.Reason) + " " + cmp.Or(s.Rule, s.By)
	if s.Note != "" {
		words += " (" + s.Note + ")"
	}
	return words
}

// repeatAfter is how long after the last notification the channel is told again although nothing
// changed, or false: never. A level-triggered one is reminded at growing intervals: when the alert is
// Remind old, and each time that it has grown twice as old.
func (g *group) repeatAfter(c *channel, told *Told) (time.Duration, bool) {
	switch {
	case g.leftover || g.level && (c.spec.Remind <= 0 || told == nil):
		return 0, false
	case !g.level:
		return g.Repeat, true
	}
	after := c.spec.Remind
	for _, en := range g.members { // there is one
		after = max(after, told.At.Sub(en.alert.StartsAt))
	}
	return after, true
}

// closing says that the group is that of one alert, and that nothing of it is to be open at its remote.
func (g *group) closing() bool {
	if !g.level {
		return false
	}
	for _, en := range g.members {
		if en.alert.State == Firing && !en.verdict.closes() {
			return false
		}
	}
	return true
}
