// Package dedupe turns what several sources report into one list of alerts, and decides which of
// them count as firing.
//
// # Shapes
//
// [Presence] takes [alarm.Snapshot] values and returns [alarm.Change] values, sorted by fingerprint.
// An alert that was handed out is never modified: a change makes a new one, which shares the label
// sets with the old. Presence keeps the label sets of what it is given and never modifies them.
// What each source says is kept in the alert itself, as its Reports, so a Presence can be built
// anew from the alerts that another one handed out; whether a source is stale is kept in rows.
//
// # Pushed alerts
//
// Within one source a partial snapshot is merged as Alertmanager does (its provider/mem and
// alert.Merge): if the activities overlap, the earliest StartsAt counts; the newest EndsAt, unless
// an explicit one is later; annotations and generator URL of the newest. Without overlap it is a
// new occurrence. An alert ends when its EndsAt passes. Until it is forgotten, a repeated resolve
// can move EndsAt to a later time that is past, and nothing else. The resolve of an alert that is
// not known is handed on as Ended, and not kept.
//
// # Whole snapshots
//
// What a whole snapshot omits has ended, unless it is matched by the snapshot's Unknowns: then it is
// kept as it was. EndsAt counts for nothing. StartsAt never moves forward under an alert that keeps
// firing. A snapshot with an error holds everything that its source reported before.
//
// # Several sources
//
// An alert fires while any source reports it. A source is stale after an error until it succeeds,
// and if it was not read within a grace period. Becoming stale changes no alert: it is held. But
// when a fresh source says that an alert of its own has ended, then reports of stale sources do not
// keep it: a stale source never outvotes a fresh one. (That the EndsAt of a pushed alert passes is
// silence, and outvotes nobody.) Annotations are those of the first source, by name, that reports
// the alert and is not stale, so that two sources do not take turns.
//
// A pending alert is shown until it fires. Once it fired, a source that calls it pending has ended
// it, and it stays resolved until it fires again or is forgotten.
//
// After our own restart a source's first word on an alert that fired is not an end if it is "pending":
// the rule server restarted with us, and waits out the rule's `for` again. The alert is held firing
// until it fires, is gone, or has begun anew.
//
// # Lingering and flapping
//
// Presence keeps an alert up, with no end, after its sources resolved it: for Linger, and for as long
// as it flaps. So it still explains others, and what comes and goes is one occurrence; its StartsAt does
// not move.
//
// [Flap] adds 2^(-age/HalfLife) for each change of state. An alert flaps from Start (3.0) until its
// score falls to Stop (1.0), for at least Min and at most Max. It is told once, noted after NoteEvery
// and then half as often each time, and at the end the net state is told. The first page of a steady
// alert is never delayed. Icinga 2's formula (its documentation, "Check Flapping") counts check results,
// so it says nothing about alerts that are pushed on change; it is there as [IcingaFlap]. Observations
// from a failed source are not recorded: an outage of ours is not instability of theirs.
//
// Flap works alone, too: it needs a fingerprint and whether it fires, and gives back its state as rows.
//
// # Hold and Flood
//
// These are Suppressors, for every alert whatever it was that reported or raised it. [Hold] lets the
// first page wait, by severity, and tells alerts that are gone within it too often as one, which it
// raises. (Presence could keep the original up instead. But then it would fire while nobody reports
// it, for an hour at a time, and be told as a page like any other. The raised alert says what it is, in
// its labels and its summary; Opsgenie counts in one incident, Slack's message reads as a sentence; the
// original's history stays true, and if it comes to stay it speaks for itself.) [Flood] has what would
// page beyond a number join one alert, which reaches whom they would have reached; mild ones never crowd
// out a severe one. Reasons of both have an end. Both write rows, and decide the
// same after a restart.
//
// # What is counted
//
// Each alert carries its [alarm.Occurrences]. They are kept when it is forgotten, for the last
// Options.Remember of them and no longer than RememberFor. Times are those of the cycle, so that history
// gives the same numbers. Each change of state of which nobody is told is counted by the Swallowed
// functions, whoever swallowed it.
//
// # Time, errors, goroutines
//
// Every method takes the present as an argument, and there is no I/O. Times are kept as they are
// given. Nothing but the constructors and [Flap.Load] returns an error, and none is to be matched. A
// Presence, Flap, Hold or Flood belongs to one goroutine at a time; any number may call Sources together
// as long as nobody calls anything else.
package dedupe
