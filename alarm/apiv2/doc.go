// Package apiv2 is Alertmanager's API v2 over an engine, as an [http.Handler].
//
// Paths, parameters, status codes, bodies, the order of keys and of lists are Alertmanager's, so that
// vmalert, Prometheus, amtool, karma and Grafana cannot tell the two apart; the removed API v1
// answers 410 as there. What differs, on purpose:
//
//   - A push is answered after it is committed, and 500 or 503 if it was not.
//   - Bodies are bounded; a larger one is answered 413.
//   - Times are printed in UTC, whatever zone they were sent in.
//   - A pending alert, which Alertmanager does not have, has the state "unprocessed". An alert whose
//     end nobody knows is printed to end five minutes from now.
//   - An alert that is withheld for a reason that Alertmanager does not have is "suppressed", by none.
//   - Where Alertmanager panics, at null in a list, the request is refused with the code 602.
//
// # Shapes
//
// The package consumes an [Engine] to read from, a [Push] that takes in alerts, and [Silences]. What
// they return is not modified. Answers are streamed: the size of one is not held in memory.
//
// # Errors
//
// A Push and Silences may classify their errors by methods, so that they need not know this package:
// Code() int is one of the codes of Alertmanager's validation (400, 601, 602, ...), answered as
// {"code":...,"message":...}; Invalid() bool is answered 400 and NotFound() bool 404, as a JSON
// string. [alarm.ErrStopped] and an ended context are answered 503, everything else 500.
//
// # Goroutines
//
// An API may be used by any number of goroutines. It starts none, unless a timeout is set: then
// [http.TimeoutHandler] does, and holds each answer in memory.
package apiv2
