// Package silence mutes alerts that a person does not want to hear of for a while.
//
// # Shapes
//
// [Set] and [Expire] decide what an edit makes of a silence; they are pure, and return the silences
// to be stored. [Service] does so over an engine that stores them: it is what an API calls.
// [Suppressor] says which alerts are muted, by which silences and until when. A Silence that was
// handed over is never modified, on either side: an edit makes a new one.
//
// # Rules
//
// They are Alertmanager's. A silence that begins in the past begins now. An edit of a silence that
// is known keeps its ID if the matchers are the same (in any order), and history stays true: an
// active one must keep its start to the second, a pending one must start in the future. Otherwise the
// old one expires and the edit becomes a new silence with a new ID. An expired silence is never
// edited. A silence is active from its start on, and until just before its end.
//
// # Errors
//
// [ErrNotFound] is returned where an ID is not known, and an [*InvalidError] where a silence breaks a
// rule or a limit. They also tell by the methods NotFound() bool and Invalid() bool. Other errors are
// the engine's.
//
// # Goroutines
//
// A Service may be used by any number of goroutines: new silences are committed side by side, edits
// of known ones one after the other. A Suppressor belongs to one goroutine at a time.
package silence
