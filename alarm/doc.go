// Package alarm holds the nouns of tocsin and the engine that turns firing alerts into
// notifications.
//
// # Shapes
//
// A [Source] reports [Snapshot] values. [Presence] merges what the sources say and decides which
// alerts count as firing. Each [Suppressor] then judges the alerts that changed and gives its
// reasons; all reasons for one alert are its [Verdict]. A [Router] says which groups an alert
// belongs to. The [Engine] compares what fires in each group with what was told ([Told]) and
// writes the difference into a [Plan]: the intentions to notify, and everything that has to be
// remembered. A [Store] commits a plan in one transaction; only then does anybody learn of it.
//
//	sources ─▶ Snapshot ─▶ Presence ─▶ Suppressors ─▶ Router ─▶ groups ─▶ Plan ─▶ Store ─▶ outbox
//
// Values that were handed over are never modified afterwards, by either side: an [Alert], its label
// sets, a [Verdict] and a [Silence] are replaced, not changed. Whatever is a list is sorted (alerts
// by fingerprint), so that the same input gives the same plan.
//
// # Units and time
//
// Every decision takes the present as an argument; only [Engine.Run] asks the clock. Times are UTC
// and are compared with Equal. Durations are time.Duration.
//
// Silences, windows, time intervals, the ends of alerts and repeat_interval go by the wall clock, whatever
// it says. When it is set while the engine runs, by 10 s or more, or the machine was suspended, that is taken
// as a restart is: everything is built anew out of what is stored. So a leap ahead ends no alert whose
// sender could not have spoken in the time that was left out: it has resolve_timeout to speak again. Groups
// that are due are flushed once. After a leap back no timer lies farther ahead than it can, and what is
// pushed counts for more than what was pushed before. An end that a sender gave stands; and what is repeated
// by repeat_interval is repeated earlier or later by the leap. The lease, retries, heartbeats and the
// intervals at which sources are asked go by the monotonic clock, which does not leap.
//
// # Errors
//
// [Engine.Submit] returns [ErrStopped] after the engine has ended, and an error that wraps
// [ErrNotStored] when a commit failed: nothing of the input was kept then, and the caller should
// try again.
//
// # Goroutines
//
// One goroutine, the caller of [Engine.Run], writes state. Every other method of Engine may be
// called at any time from any goroutine.
package alarm
