package web

import (
	"cmp"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// maxChain bounds how far a chain of causes is followed.
const maxChain = 20

// explaining says whether a suppression names another alert as what explains the one withheld.
func explaining(s *alarm.Suppression) bool {
	switch s.Reason {
	case alarm.ReasonInhibition, alarm.ReasonDependency, alarm.ReasonRollup, alarm.ReasonFlood:
		return true
	default:
		return false
	}
}

// explainedBy says whether an alert is withheld because of the one with that fingerprint, directly or
// as the first of a chain.
func explainedBy(a *alarm.Reading, cause string) bool {
	if a.Verdict == nil {
		return false
	}
	for i := range a.Verdict.Suppressions {
		if s := &a.Verdict.Suppressions[i]; explaining(s) && (s.By == cause || s.Root == cause) {
			return true
		}
	}
	return false
}

// countExplained counts for each cause the alerts that fire and that it explains.
func countExplained(alerts []alarm.Reading) map[model.Fingerprint]int {
	counts := map[model.Fingerprint]int{}
	var causes []model.Fingerprint
	for i := range alerts {
		a := &alerts[i]
		if a.Verdict == nil || a.Alert.State != alarm.Firing {
			continue
		}
		causes = causes[:0]
		for k := range a.Verdict.Suppressions {
			s := &a.Verdict.Suppressions[k]
			if !explaining(s) {
				continue
			}
			for _, text := range [...]string{s.By, s.Root} {
				if fp, err := model.ParseFingerprint(text); err == nil && text != "" && !contains(causes, fp) {
					causes = append(causes, fp)
					counts[fp]++
				}
			}
		}
	}
	return counts
}

func contains(few []model.Fingerprint, fp model.Fingerprint) bool {
	for _, one := range few {
		if one == fp {
			return true
		}
	}
	return false
}

// explainedNames counts what an alert explains now, by name.
func (r *reading) explainedNames(fp model.Fingerprint) map[string]int {
	if r.explains[fp] == 0 {
		return nil
	}
	names, cause := map[string]int{}, fp.String()
	for i := range r.alerts {
		if a := &r.alerts[i]; a.Alert.State == alarm.Firing && explainedBy(a, cause) {
			names[a.Alert.Name()]++
		}
	}
	return names
}

// A causeLink is one alert in a chain of causes.
type causeLink struct {
	Title string
	URL   string
	State string // empty: nobody knows it any more
	Since when
	Rule  string // that ties what came before to it
	Root  bool   // nothing explains it
	Gap   bool   // there are others between the one before and it
}

// chainOf follows a suppression from cause to cause, as they are now. The first alert is what explains
// directly.
func chainOf(now time.Time, r *reading, s alarm.Suppression, root string) []causeLink {
	var chain []causeLink
	seen := map[string]bool{}
	by, rule, last := s.By, s.Rule, cmp.Or(s.Root, s.By)
	for len(chain) < maxChain && by != "" && !seen[by] {
		seen[by] = true
		fp, err := model.ParseFingerprint(by)
		if err != nil || fp.String() != by {
			break
		}
		link := causeLink{Rule: clip(rule, shortText), Root: by == last}
		link.Title, link.URL = causeOf(r, by, root)
		above := r.reading(fp)
		if above != nil {
			link.State, link.Since = above.Alert.State.String(), makeWhen(now, above.Alert.StartsAt)
		} else if by == s.By && s.Note != "" {
			link.Title = clip(s.Note, shortText)
		}
		chain = append(chain, link)
		if by == last || above == nil {
			break
		}
		by, rule = nextCause(above)
	}
	if len(chain) > 0 && last != s.By && !seen[last] {
		end := causeLink{Root: true, Gap: true}
		end.Title, end.URL = causeOf(r, last, root)
		chain = append(chain, end)
	}
	return chain
}

// nextCause returns what explains an alert itself, first of all.
func nextCause(a *alarm.Reading) (by, rule string) {
	if a.Verdict == nil {
		return "", ""
	}
	for i := range a.Verdict.Suppressions {
		if s := &a.Verdict.Suppressions[i]; explaining(s) && s.By != "" {
			return s.By, s.Rule
		}
	}
	return "", ""
}

// raisedWords says which part of the server raised an alert.
func raisedWords(by string) string {
	switch by {
	case "":
		return ""
	case string(alarm.ReasonRollup):
		return "raised by a roll-up"
	case string(alarm.ReasonHold):
		return "raised for a transient that comes again and again"
	case string(alarm.ReasonFlood):
		return "raised for a flood"
	default:
		return "raised by " + clip(by, shortText)
	}
}
