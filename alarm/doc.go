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
