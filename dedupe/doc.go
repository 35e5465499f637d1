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
// # Time, errors, goroutines
//
// Every method takes the present as an argument, and there is no I/O. Times are kept as they are
// given. Nothing but the constructor returns an error. A Presence belongs to one goroutine at a
// time; any number may call Sources together as long as nobody calls anything else.
package dedupe
