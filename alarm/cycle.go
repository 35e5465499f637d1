package alarm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tocsin/tocsin/alarm/failpoint"
)

// turn runs one cycle and answers those who wait. It returns an error only if the lease is lost.
func (e *Engine) turn(ctx context.Context, now time.Time, batch []*request) error {
	failpoint.Here("turn-begin")
	err := e.cycle(ctx, now, batch)
	failpoint.Here("turn-unanswered")
	for _, r := range batch {
		if r.err == nil {
			r.err = err
		}
		r.done <- r.err
	}
	failpoint.Here("turn-answered")
	if errors.Is(err, ErrLeaseLost) {
		return err
	}
	return nil
}

// commit makes a plan durable. It outlives a shutdown that begins meanwhile: those who wait are told
// the truth.
func (e *Engine) commit(ctx context.Context, p *Plan) error {
	if err := e.opts.Store.Commit(context.WithoutCancel(ctx), e.opts.Generation, p); err != nil {
		return fmt.Errorf("commit plan: %w", err)
	}
	return nil
}

// cycle takes everything queued, decides, commits, and only then lets anybody know. It waits for no
// source and sends nothing: collecting and delivering are the business of others.
func (e *Engine) cycle(ctx context.Context, now time.Time, batch []*request) error {
	began := time.Now()
	e.leap += e.leapt(now)
	if e.broken != nil && now.Before(e.brokenUntil) {
		return fmt.Errorf("%w: %w", ErrNotStored, e.broken)
	}
	if e.broken != nil || e.leap != 0 {
		if err := e.load(ctx, now); err != nil {
			e.breakOff(now, err)
			return fmt.Errorf("%w: %w", ErrNotStored, err)
		}
	}
	build := e.build
	e.mu.Lock()
	plan := e.decide(now, batch)
	e.under = nil
	if !plan.Empty() {
		e.under = &commitment{done: make(chan struct{})}
	}
	e.mu.Unlock()
	failpoint.Here("cycle-decided")
	if !plan.Empty() {
		err := e.commit(ctx, plan)
		e.under.end(err)
		if err != nil {
			// What was decided never came to be. The parts are built anew out of what is stored.
			e.build = build
			e.breakOff(now, err)
			e.opts.Observer.CommitFailed()
			e.log.Error("commit of a plan", "cycle", plan.Cycle, "err", err)
			return fmt.Errorf("%w: %w", ErrNotStored, err)
		}
		e.recovered(time.Now()) // it may have taken a while
	}
	failpoint.Here("cycle-committed")
	e.offer(plan)
	failpoint.Here("cycle-offered")
	e.opts.Observer.Cycle(time.Since(began), plan)
	return nil
}

// decide is all that happens between taking the inputs and committing the plan.
func (e *Engine) decide(now time.Time, batch []*request) *Plan {
	e.cycles++
	if e.plan == nil {
		e.plan = &Plan{}
	}
	e.plan.At, e.plan.Cycle = now, e.cycles

	var in Input
	for _, r := range batch {
		e.keepRows(r.in.Rows)
		if r.in.Reload != nil {
			r.err = e.reload(now, r.in.Reload)
		}
		in.Snapshots = append(in.Snapshots, r.in.Snapshots...)
		in.Silences = append(in.Silences, r.in.Silences...)
		in.Outcomes = append(in.Outcomes, r.in.Outcomes...)
		in.Remotes = append(in.Remotes, r.in.Remotes...)
		in.Dead = append(in.Dead, r.in.Dead...)
		e.plan.Events = append(e.plan.Events, r.in.Events...)
		in.Pulse = in.Pulse || r.in.Pulse
	}
	changes := e.observe(now, in.Snapshots) // Presence: what counts as firing
	failpoint.Here("decide-observed")
	silenced := e.silence(now, in.Silences)
	e.judge(now, changes, silenced) // Suppressors: what is withheld, and why
	failpoint.Here("decide-judged")
	e.settleOutcomes(now, in.Outcomes)
	failpoint.Here("decide-settled")
	e.takeRemotes(now, in.Remotes)
	e.obey(now, in.Dead)
	if in.Pulse {
		e.beat(now)
	}
	e.flushDue(now) // Router: who is told
	failpoint.Here("decide-flushed")
	e.sweep(now)
	e.due.Store(e.nextDue())

	plan := e.plan
	e.plan = nil
	return plan
}

// observe hands the snapshots to Presence and follows what it decided.
func (e *Engine) observe(now time.Time, snapshots []Snapshot) []Change {
	if len(snapshots) == 0 && (e.presenceNext.IsZero() || now.Before(e.presenceNext)) {
		return nil
	}
	changes, rows, next := e.parts.Presence.Observe(now, snapshots)
	e.presenceNext = next
	e.keepRows(rows)
	judged := changes[:0:0]
	for _, c := range changes {
		if !e.follow(now, c) {
			continue
		}
		if c.Kind != Refreshed && e.worthWriting(now, c) {
			e.plan.Inputs = append(e.plan.Inputs, c)
		}
		if c.Kind != Refreshed && c.Kind != Reworded {
			judged = append(judged, c)
		}
	}
	return judged
}

// rewordEvery is how often prose alone is stored: {{ $value }} in an annotation changes with every
// evaluation of every alert.
const rewordEvery = time.Hour

// worthWriting says whether a change is stored now, or with the next that matters.
func (e *Engine) worthWriting(now time.Time, c Change) bool {
	en := e.alerts[c.Alert.Fingerprint()]
	if c.Kind == Reworded && now.Sub(time.Unix(0, en.written)) < rewordEvery {
		return false
	}
	en.written = now.UnixNano()
	return true
}

// follow brings the engine's own view of one alert up to date. It returns false if the change is
// nothing that anybody has to know: the end of an alert that was never seen.
func (e *Engine) follow(now time.Time, c Change) bool {
	fp := c.Alert.Fingerprint()
	en := e.alerts[fp]
	if en != nil && en.alert.RaisedBy != "" && en.alert.State == Firing && c.Alert.RaisedBy == "" {
		e.shadow(en.alert.RaisedBy, Change{Kind: Appeared, Alert: en.alert})
	}
	switch {
	case (c.Kind == Refreshed || c.Kind == Reworded) && en != nil:
		en.alert = c.Alert
		return true
	case c.Kind == Ended && en == nil:
		return e.endUnseen(now, c.Alert)
	case en == nil:
		en = &entry{fingerprint: fp, hash: Hash(c.Alert.Labels), alert: c.Alert}
		e.remember(en)
	}
	en.alert = c.Alert
	if c.Alert.State != Firing {
		if en.ended.IsZero() {
			en.ended = now
			en.keepUnheard(en.verdict.reasons())
		}
		for _, g := range en.groups {
			e.touch(now, g)
		}
		e.release(en)
		return true
	}
	en.ended = time.Time{}
	en.keepUnheard(nil)
	e.join(now, en)
	return true
}

func (e *Engine) remember(en *entry) {
	e.alerts[en.fingerprint] = en
	e.byHash[en.hash] = en
	e.labels.add(en)
	e.order.drop()
}

func (e *Engine) forget(en *entry) {
	e.reexplain(en.fingerprint, en.verdict.reasons(), nil)
	delete(e.alerts, en.fingerprint)
	delete(e.byHash, en.hash)
	e.labels.remove(en, e.alerts)
	e.order.drop()
}

// endUnseen takes in the end of an alert that is not known, if a remote was told that it fires: a
// notification log that was imported knows more than we do.
func (e *Engine) endUnseen(now time.Time, a *Alert) bool {
	if len(e.told) == 0 {
		return false
	}
	hash := Hash(a.Labels)
	for _, spec := range e.parts.Router.Route(a.Labels) {
		rs := e.parts.Receiver(spec.Receiver)
		if rs == nil {
			continue
		}
		for _, is := range rs.Integrations {
			if e.told[IntentionKey{Receiver: rs.Name, Integration: is.Name, Group: spec.Key}].holds(hash) {
				en := &entry{fingerprint: a.Fingerprint(), hash: hash, alert: a, ended: now}
				e.remember(en)
				e.join(now, en)
				return true
			}
		}
	}
	return false
}

// silence takes in edits, and drops what expired longer ago than the retention.
func (e *Engine) silence(now time.Time, edits []*Silence) []SilenceChange {
	var changes []SilenceChange
	for _, s := range edits {
		e.silences[s.ID] = s
		e.plan.Silences = append(e.plan.Silences, s)
		changes = append(changes, SilenceChange{Silence: s})
	}
	return changes
}

func (e *Engine) keepRows(rows []Row) {
	for _, r := range rows {
		if r.Value == nil {
			delete(e.rows, rowKey{r.Part, r.Key})
		} else {
			e.rows[rowKey{r.Part, r.Key}] = r.Value
		}
	}
	e.plan.Rows = append(e.plan.Rows, rows...)
}

// nextDue is the earliest deadline of any part, in Unix nanoseconds.
func (e *Engine) nextDue() int64 {
	due := e.sweepNext
	earlier := func(t time.Time) {
		if !t.IsZero() && t.Before(due) {
			due = t
		}
	}
	earlier(e.presenceNext)
	for _, t := range e.judgeNext {
		earlier(t)
	}
	if len(e.flushes) > 0 {
		earlier(e.flushes[0].next)
	}
	return due.UnixNano()
}

func byFingerprint(a, b *Alert) int { return cmp.Compare(a.Fingerprint(), b.Fingerprint()) }

func compareKeys(a, b IntentionKey) int {
	return cmp.Or(cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.Integration, b.Integration), cmp.Compare(a.Group, b.Group))
}
