package alarm_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
)

// A verdict is what is said of one alert. Who is, or may have been, told while it waited for a cause no longer
// waits when somebody asks anew.
type verdict struct {
	told             bool // as far as the engine knows, which after a crash is more than is true
	whole, unwaiting string
}

func (v verdict) equal(other verdict) bool {
	if v.told || other.told {
		return v.unwaiting == other.unwaiting
	}
	return v.whole == other.whole
}

// verdicts says what fires and why it is withheld, and whether that is so in the store as well.
func (r *realm) verdicts() (map[model.Fingerprint]verdict, bool) {
	if r.failing || r.engine.Trouble() != nil {
		return nil, false
	}
	all := map[model.Fingerprint]verdict{}
	for _, reading := range r.readings() {
		fp := reading.Alert.Fingerprint()
		all[fp] = verdict{r.isTold(fp), withheldBy(reading, false), withheldBy(reading, true)}
	}
	return all, true
}

func (r *realm) isTold(fp model.Fingerprint) bool {
	why, err := r.engine.Explain(context.Background(), fp, time.Now())
	require.NoError(r.t, err)
	return slices.ContainsFunc(why.Groups, func(g alarm.GroupExplanation) bool { return len(g.ToldAlert) > 0 })
}

func (r *realm) readings() []alarm.Reading {
	readings, err := r.engine.Alerts(context.Background())
	require.NoError(r.t, err)
	return readings
}

// withheldBy says why an alert is withheld, but for its wait for a cause if so asked.
func withheldBy(reading alarm.Reading, unwaiting bool) string {
	said := []string{reading.Alert.Labels.String()}
	if reading.Verdict != nil {
		for _, s := range reading.Verdict.Suppressions {
			if unwaiting && s.Reason == alarm.ReasonDependency && s.By == "" {
				continue
			}
			said = append(said, fmt.Sprintf("%s by %s, root %s, rule %s, close %t, until %s", s.Reason, s.By, s.Root, s.Rule, s.Close, s.Until.Format("15:04:05.000")))
		}
	}
	return strings.Join(said, "; ")
}

// compare holds the verdicts to what they were.
func (r *realm) compare(event string, before map[model.Fingerprint]verdict, comparable bool) {
	after, ok := r.verdicts()
	if !comparable || !ok {
		return
	}
	both := maps.Clone(before)
	maps.Copy(both, after)
	for _, fp := range slices.Sorted(maps.Keys(both)) {
		if !before[fp].equal(after[fp]) {
			r.fault("%s changes what is said of %s\nfrom %s\nto   %s", event, fp, before[fp].whole, after[fp].whole)
		}
	}
}

// heal ends all trouble, and waits until every deadline has passed.
func (r *realm) heal() {
	r.remotes.mu.Lock()
	r.remotes.refuse = 0
	r.remotes.mu.Unlock()
	if !r.calm {
		r.fail(false)
	}
	time.Sleep(15 * time.Second) // the engine tries the store again
	r.answer(time.Now(), map[string]map[model.Fingerprint]alarm.Alert{"one": r.fires["one"], "two": r.fires["two"]}, nil)
	time.Sleep(time.Hour) // longer than any silence, hold, flood, flapping and patience
	for range 3 {         // what is told instead of a letter can become one itself
		letters, err := r.engine.DeadLetters(context.Background())
		require.NoError(r.t, err)
		for _, l := range letters {
			_, err := r.engine.Revive(context.Background(), alarm.DeadOrder{Key: l.Key})
			require.NoError(r.t, err)
		}
		r.reconcile()
		time.Sleep(20 * time.Minute)
	}
	synctest.Wait()
	r.remotes.note("healed")
}

// reconcile reports what somebody closed at a remote while the engine could not hear of it.
func (r *realm) reconcile() {
	for _, receiver := range []string{"a", "c"} {
		standings, err := r.engine.Standings(context.Background(), receiver, "ops[0]")
		require.NoError(r.t, err)
		for _, s := range standings {
			if s.Open && !s.Busy && !s.Closed && !r.remotes.anyOpen(s.Key) {
				r.submit(alarm.Input{Remotes: []alarm.RemoteChange{{Key: s.Key, Kind: alarm.RemoteClosed, At: time.Now()}}}, "reconciler: closed "+s.Key.String())
			}
		}
	}
}

// check holds the realm to what must be true when everything healed.
func (r *realm) check() {
	r.remotes.mu.Lock()
	defer r.remotes.mu.Unlock()
	known := map[model.Fingerprint]alarm.Reading{}
	for _, reading := range r.readings() {
		known[reading.Alert.Fingerprint()] = reading
	}
	r.checkFiring(known)
	for _, fp := range slices.Sorted(maps.Keys(known)) {
		r.checkUntold(known, known[fp])
		r.checkReasons(known, known[fp])
	}
	r.checkOpen(known)
	records, err := r.store.Records(context.Background(), 0, 1<<30)
	require.NoError(r.t, err)
	for _, rec := range records {
		r.recorded = append(r.recorded, fmt.Sprintf("%s %s %s %s %s/%s/%s %s", rec.At.Format("15:04:05.000"), rec.Kind, rec.Fingerprint, rec.Source, rec.Receiver, rec.Integration, rec.Group, rec.Body))
	}
}

// checkFiring compares what fires with what the sources say, and what is raised with what it is raised for.
func (r *realm) checkFiring(known map[model.Fingerprint]alarm.Reading) {
	fires := map[model.Fingerprint]bool{}
	nodes := map[model.LabelValue]int{}
	for _, source := range r.fires {
		for fp, a := range source {
			if !fires[fp] && a.Name() == "Node" {
				nodes[a.Labels["cluster"]]++
			}
			fires[fp] = true
		}
	}
	outages := map[model.LabelValue]int{}
	for fp, reading := range known {
		switch a := reading.Alert; {
		case a.RaisedBy == "":
			if !fires[fp] {
				r.fault("%s fires at no source", a.Labels)
			}
		case a.RaisedBy == "rollup":
			outages[a.Labels["cluster"]]++
		case a.RaisedBy == "hold":
			r.fault("%s still stands for transients that were long ago", a.Labels)
		case a.RaisedBy == "flood" && !explainsAny(known, fp):
			r.fault("%s is a flood of nothing", a.Labels)
		}
	}
	for fp := range fires {
		if _, ok := known[fp]; !ok {
			r.fault("%s fires, and is not known", fp)
		}
	}
	for cluster, down := range nodes {
		if want := r.config&withRollups != 0 && down > realmTolerates; want != (outages[cluster] == 1) {
			r.fault("%d nodes of cluster %s are down, and there are %d outages", down, cluster, outages[cluster])
		}
	}
}

func explainsAny(known map[model.Fingerprint]alarm.Reading, by model.Fingerprint) bool {
	for _, reading := range known {
		if reading.Verdict.Withheld() && slices.ContainsFunc(reading.Verdict.Suppressions, func(s alarm.Suppression) bool { return s.By == by.String() }) {
			return true
		}
	}
	return false
}

// checkUntold: what fires and is not withheld is open at each remote, unless somebody wants it otherwise.
func (r *realm) checkUntold(known map[model.Fingerprint]alarm.Reading, reading alarm.Reading) {
	a := reading.Alert
	if reading.Verdict.Withheld() {
		return
	}
	for _, receiver := range reading.Receivers {
		for _, spec := range realmReceivers() {
			for _, is := range spec.Integrations {
				if spec.Name != receiver || !is.SendResolved || r.remotes.isOpen(receiver, is, a.Fingerprint()) {
					continue
				}
				key := alarm.IntentionKey{Receiver: receiver, Integration: is.Name, Group: a.Fingerprint().String()}
				if is.Level && (r.discarded[key] || r.standing(key).Closed) {
					continue
				}
				r.fault("%s fires, is not withheld, and %s/%s was not told", a.Labels, receiver, is.Name)
			}
		}
	}
}

func (r *realm) standing(key alarm.IntentionKey) alarm.Standing {
	standings, err := r.engine.Standings(context.Background(), key.Receiver, key.Integration)
	require.NoError(r.t, err)
	for _, s := range standings {
		if s.Key == key {
			return s
		}
	}
	return alarm.Standing{}
}

// checkReasons: whatever withholds an alert so long after everything is a cause that fires and that
// somebody knows of, or was told to be no news.
func (r *realm) checkReasons(known map[model.Fingerprint]alarm.Reading, reading alarm.Reading) {
	if !reading.Verdict.Withheld() {
		return
	}
	for _, s := range reading.Verdict.Suppressions {
		said := fmt.Sprintf("%s is withheld: %s", reading.Alert.Labels, withheldBy(reading, false))
		if !s.Until.IsZero() && !s.Until.After(time.Now()) {
			r.fault("%s\nbut %s is over", said, s.Until.Format("15:04:05.000"))
			continue
		}
		cause, _ := model.ParseFingerprint(s.By)
		_, fires := known[cause]
		switch s.Reason {
		case alarm.ReasonInhibition, alarm.ReasonFlood:
			if !fires {
				r.fault("%s\nbut that does not fire", said)
			}
		case alarm.ReasonDependency, alarm.ReasonRollup:
			if s.By == "" && s.Note == "within what is tolerated" || !s.Until.IsZero() {
				continue
			}
			if !fires {
				r.fault("%s\nbut that does not fire", said)
			} else if !r.isKnown(known, cause, 10) {
				r.fault("%s\nof which nobody knows", said)
			}
		default:
			r.fault("%s\nso long after all silences and holds", said)
		}
	}
}

// isKnown says whether somebody was told of an alert, or of one that explains it, or wants none of it.
func (r *realm) isKnown(known map[model.Fingerprint]alarm.Reading, fp model.Fingerprint, most int) bool {
	reading, ok := known[fp]
	if !ok || most == 0 {
		return false
	}
	if r.remotes.anywhere(fp) {
		return true
	}
	if !reading.Verdict.Withheld() {
		return true // checkUntold has an eye on it
	}
	return slices.ContainsFunc(reading.Verdict.Suppressions, func(s alarm.Suppression) bool {
		cause, err := model.ParseFingerprint(s.By)
		return s.Reason == alarm.ReasonInhibition || err == nil && r.isKnown(known, cause, most-1)
	})
}

// checkOpen: what is open at a remote fires, and is not to be closed there.
func (r *realm) checkOpen(known map[model.Fingerprint]alarm.Reading) {
	for key, open := range r.remotes.open {
		for fp := range open {
			reading, fires := known[fp]
			switch {
			case key.Integration == "slack[0]" || r.discarded[key]:
			case !fires:
				r.fault("%s is open at %s and does not fire", fp, key)
			case key.Integration == "ops[0]" && reading.Verdict.Withheld() &&
				slices.ContainsFunc(reading.Verdict.Suppressions, func(s alarm.Suppression) bool { return s.Close }):
				r.fault("%s is open at %s although it is explained: %s", fp, key, withheldBy(reading, false))
			}
		}
	}
}
