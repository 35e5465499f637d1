// Package notifytest has what tests of deliveries need: a [Receiver] that records what it is given
// and fails on demand, an [Outbox] in memory that can fail as well, sample deliveries, and
// [ExerciseReceiver], the contract of notify.Receiver as a test, for implementers.
//
// Both fakes are working implementations, not mocks: they judge nothing about the order or number of
// calls, except that the Outbox fails its test when an intention ends twice or was never added. They
// copy what they keep, so what they return belongs to the caller, and may be used from any
// goroutine, inside a synctest bubble too.
package notifytest
