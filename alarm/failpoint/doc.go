// Package failpoint ends a process at a named place, so that a test can show that nothing is lost by it.
//
// In production there is nothing here: [Here] is empty unless the program is built with the tag
// failpoints. Then the environment names the place: TOCSIN_FAILPOINT=commit-alerts kills the process, as
// kill -9 does, when it is there; TOCSIN_FAILPOINT_AFTER=3 lets it pass three times before. The places are
// the arguments of Here in the source.
//
// Here takes and returns nothing, asks no clock, and may be called by any goroutine.
package failpoint
