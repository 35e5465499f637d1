package alarm

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// A Reading is one alert as it stands at the moment of reading. What it points to must not be
// modified.
type Reading struct {
	Alert     *Alert
	Verdict   *Verdict // nil: nothing withholds it
	Receivers []string // one for each route that it matches, in the order of the tree
}

func (en *entry) read() Reading {
	return Reading{Alert: en.alert, Verdict: en.verdict, Receivers: en.receivers}
}

// A readingList collects readings in any order. They are sorted by keys beside them, because to fetch
// each one's fingerprint again and again, and to swap whole readings, takes several times as long.
type readingList struct {
	readings []Reading
	keys     []readingKey
}

// A readingKey says where the reading of an alert is.
type readingKey struct {
	fingerprint model.Fingerprint
	at          int
}

func (l *readingList) add(en *entry) {
	l.keys = append(l.keys, readingKey{en.fingerprint, len(l.readings)})
	l.readings = append(l.readings, en.read())
}

// sorted sorts the readings by fingerprint and returns them. Each is moved once: whoever stands where
// another belongs follows in turn, until the turn is back where it began.
func (l *readingList) sorted() []Reading {
	slices.SortFunc(l.keys, func(a, b readingKey) int { return cmp.Compare(a.fingerprint, b.fingerprint) })
	for began := range l.keys {
		first, to := l.readings[began], began
		for from := l.keys[to].at; from != began; from = l.keys[to].at {
			l.readings[to] = l.readings[from]
			l.keys[to].at = to
			to = from
		}
		l.readings[to] = first
		l.keys[to].at = to
	}
	return slices.Clip(l.readings)
}

// A GroupReading is one group as it stands at the moment of reading.
type GroupReading struct {
	Group   *Group
	MutedBy []string  // time intervals, if any mute its route now
	Alerts  []Reading // what fires, in the order of [CompareForMessage]
}

// An Explanation says everything about one alert: why it was told, or not.
type Explanation struct {
	// At is the instant of the past that it is about, or zero for now.
	At time.Time

	Reading Reading

	// Causes are the alerts that its suppressions name, as they are now, sorted by fingerprint. In the
	// past there are none: the suppressions' notes say who they were.
	Causes []Reading

	// Overdue is what would still withhold it, had it not done so for as long as it may.
	Overdue []Suppression

	// Explains counts the alerts that it explains now, by name.
	Explains map[string]int

	Groups  []GroupExplanation // one for each group that it is in
	History []Record           // what happened to it, oldest first
}

// A Failure is a notification that was given up.
type Failure struct {
	Integration string    `json:"integration"`
	At          time.Time `json:"at"`
	Attempts    int       `json:"attempts"`
	Err         string    `json:"error"`
}

// A GroupExplanation says how one group stands towards its receiver.
type GroupExplanation struct {
	Group     *Group
	MutedBy   []string
	State     GroupState
	Told      []Told      // one for each integration that was ever told
	Open      []Intention // on their way
	ToldAlert []string    // the integrations that were told of this alert and not of its end

	// Failed are the integrations that gave up their last notification. It is tried again at Next.
	Failed []Failure

	// Next is when the group is flushed next, or zero if nothing is due.
	Next time.Time

	// Level says that it is told of this alert alone, at once: the group's timers mean nothing.
	Level bool

	// Silent says that the group has nobody to tell: its receiver has no integrations of this kind.
	Silent bool
}
