// Package heartbeat proves to somebody else that we live and work: a dead man's switch. It is pinged
// only while the last cycle was good, so that whatever stops the work stops the pings, and the other
// side raises the alarm.
//
// # Shapes
//
// A [Sender] pings once: [URL] any address, a sender of package opsgenie one of its heartbeats. A
// [Loop] decides by [Decide], at each tick, whether to call it, from what a function of the caller's
// says about the last cycle; [Vitals] is one way to judge that. The loop is a goroutine of its own: a
// cycle that hangs does not hang it, so the function must tell by the age of what it looks at.
//
// # Errors
//
// A ping that fails is tried again soon. Errors hold no address, for addresses are secrets here.
//
// # Time
//
// Times are what the clock of package time says.
//
// # Goroutines
//
// [Loop.Run] starts none and returns when its context ended and the last ping returned. A Sender is
// called by one goroutine.
package heartbeat
