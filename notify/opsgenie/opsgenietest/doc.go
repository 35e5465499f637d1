// Package opsgenietest is a fake of Opsgenie and of JSM Operations, for the tests of whoever talks to
// them. It does what the services are known to do: writes are accepted and done later, one incident is
// open for each alias, repeats are counted up to 100, fields have limits, requests are throttled, lists
// have pages and lag behind, heartbeats expire, and a ping to a missing one is answered all the same.
// Where it is not known what they do, [Quirks] plays the other way. [Fault] makes it fail.
//
// A [Server] is an [net/http.Handler] for real sockets, and an [net/http.RoundTripper] that needs none,
// so that it works inside a bubble of testing/synctest. It starts no goroutine: what became due by the
// clock of package time is done when the next request, or the next look at it, arrives.
//
// It imports nothing of tocsin. Its methods may be called concurrently; what they return are copies.
package opsgenietest
