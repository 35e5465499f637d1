package alarm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

// ExplainsAnnotation is added to a cause when it is told: how many alerts it explains, and which, such
// as "50 alerts: 30 TargetDown, 20 HighLatency".
const ExplainsAnnotation = "tocsin_explains"

// NoteAnnotation is added to an alert that flaps, or stands for transients, when it is told: see
// [Occurrences.Note]. Templates find it among the annotations.
const NoteAnnotation = "tocsin_note"

// explainsAtMost bounds how many names the annotation lists.
const explainsAtMost = 5

// explained are the alerts that each cause explains, by the cause.
type explained map[model.Fingerprint]map[model.Fingerprint]struct{}

// cause returns whom a reason names as the first cause, or false if it names no alert. Alertmanager's
// inhibitions are left alone: what it sends is as it was.
func (s *Suppression) cause() (model.Fingerprint, bool) {
	if s.Reason != ReasonDependency && s.Reason != ReasonRollup {
		return 0, false
	}
	fp, err := model.ParseFingerprint(cmp.Or(s.Root, s.By))
	return fp, err == nil
}

// reexplain follows a verdict that changed.
func (e *Engine) reexplain(fp model.Fingerprint, before, after []Suppression) {
	for i := range before {
		if cause, ok := before[i].cause(); ok {
			delete(e.explained[cause], fp)
			if len(e.explained[cause]) == 0 {
				delete(e.explained, cause)
			}
		}
	}
	for i := range after {
		cause, ok := after[i].cause()
		if !ok || cause == fp {
			continue
		}
		if e.explained[cause] == nil {
			e.explained[cause] = map[model.Fingerprint]struct{}{}
		}
		e.explained[cause][fp] = struct{}{}
	}
}

// explains counts the alerts that fire and that a cause explains, by name.
func (e *Engine) explains(cause model.Fingerprint) (total int, byName map[string]int) {
	byName = map[string]int{}
	for fp := range e.explained[cause] { // the order does not show: they are counted
		if en := e.alerts[fp]; en != nil && en.alert.State == Firing {
			byName[en.alert.Name()]++
			total++
		}
	}
	return total, byName
}

// annotate adds to alerts what they explain and what is unusual about them. The alerts are copies; their
// maps are not.
func (e *Engine) annotate(alerts []Alert) {
	for i := range alerts {
		a := &alerts[i]
		if a.State != Firing {
			continue
		}
		if note := a.Occurrences().Note(); note != "" {
			a.Annotations = a.Annotations.Merge(model.LabelSet{NoteAnnotation: model.LabelValue(note)})
		}
		if total, byName := e.explains(a.Fingerprint()); total > 0 {
			a.Annotations = a.Annotations.Merge(model.LabelSet{ExplainsAnnotation: model.LabelValue(countsInWords(total, byName))})
		}
	}
}

// countsInWords lists the commonest names first.
func countsInWords(total int, byName map[string]int) string {
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(byName[b], byName[a]), cmp.Compare(a, b)) })
	var parts []string
	for _, name := range names[:min(len(names), explainsAtMost)] {
		parts = append(parts, fmt.Sprintf("%d %s", byName[name], name))
	}
	if rest := len(names) - explainsAtMost; rest > 0 {
		parts = append(parts, fmt.Sprintf("and %d more names", rest))
	}
	noun := "alerts"
	if total == 1 {
		noun = "alert"
	}
	return fmt.Sprintf("%d %s: %s", total, noun, strings.Join(parts, ", "))
}

// causesOf returns the alerts that withhold another, directly or as the first of a chain.
func (e *Engine) causesOf(en *entry) []Reading {
	var causes []model.Fingerprint
	for _, s := range en.verdict.reasons() {
		for _, text := range []string{s.By, s.Root} {
			if fp, err := model.ParseFingerprint(text); err == nil && e.alerts[fp] != nil && fp != en.fingerprint {
				causes = append(causes, fp)
			}
		}
	}
	slices.Sort(causes)
	var readings []Reading
	for _, fp := range slices.Compact(causes) {
		readings = append(readings, e.alerts[fp].read())
	}
	return readings
}
