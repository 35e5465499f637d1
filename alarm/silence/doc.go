// Package silence mutes alerts that nobody is to hear of for a while: because a person said so, or
// because maintenance is planned.
//
// # Shapes
//
// A [Window] is maintenance as somebody asks for it, [Asked] the same in words; a [Planner] turns it
// into an [alarm.Silence] or says everything that is wrong with it. [Set], [Expire], [End], [Extend]
// and [Configured] decide what an edit makes of silences; they are pure, and return the silences to be
// stored. [Service] does so over an engine that stores them: it is what an API calls. [Suppressor] says
// which alerts are muted, by which silences and until when. [Look] says what a silence would hit, and
// what a [Guard] makes of that. A Silence that was handed over is never modified, on either side: an
// edit makes a new one.
//
// # Rules
//
// Those of silences are Alertmanager's. A silence that begins in the past begins now. An edit of a
// silence that is known keeps its ID if the matchers are the same (in any order), and history stays
// true: an active one must keep its start to the second, a pending one must start in the future.
// Otherwise the old one expires and the edit becomes a new silence with a new ID. An expired silence is
// never edited. A silence is active from its start on, and until just before its end.
//
// A window is one too, to API v2 as well, where its comment begins with its name. One that recurs is
// shown there as the occurrence that is under way or next. To expire it there ends that occurrence, or
// calls it off; those after it stay planned, as they do for a window of the configuration file. [End]
// ends a series for good. What only a window has survives an edit by API v2; one that recurs, or stands
// in the file, cannot be edited there.
//
// During the grace after an end, what began to fire before the end stays withheld, and is told after
// it if it still fires; what begins meanwhile is told at once. A window with a lease ends unless it is
// renewed in time.
//
// # Recurrence
//
// A rule is an RRULE of RFC 5545 by days, weeks, months or years (github.com/teambition/rrule-go
// evaluates it). It is evaluated on the clock of a zone, and its starts are then turned into instants:
// where the clock shows a time twice the first counts, and a time that it leaps over becomes the
// instant at which it would have been shown without the leap (RFC 5545, section 3.3.5), so no
// maintenance is left out. A duration is as time passes: 2h are two hours, on the day of a change too.
// The first occurrence is the first time that the rule names, from the start on.
//
// # Units and time zone
//
// All instants are UTC but for [alarm.Recurrence], whose Start is what the clock of its Zone shows. The
// store keeps a recurrence as text; [Compile] gives it its calendar. What cannot be compiled, because
// this machine knows no such zone, never mutes.
//
// # Errors
//
// [ErrNotFound] is returned where an ID is not known, a [*RefusedError] with all problems where a
// window makes no sense, and an [*InvalidError] where a silence breaks a rule or a limit. They also
// tell by the methods NotFound() bool and Invalid() bool. Other errors are the engine's.
//
// # Goroutines
//
// A Service may be used by any number of goroutines: new silences are committed side by side, edits
// of known ones, and windows, one after the other. A Suppressor belongs to one goroutine at a time.
package silence
