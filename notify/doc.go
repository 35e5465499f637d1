// Package notify carries deliveries from the outbox to the remotes and brings back what became of
// them.
//
// # Shapes
//
// A [Receiver] hands one [alarm.Delivery] to a remote system. A [Deliverer] is offered
// [alarm.Intention] values, has each of them rendered by its [Outbox] at the moment of each attempt,
// gives the delivery to the [Receiver] of that receiver and integration, and returns exactly one
// [alarm.Outcome] for each intention:
//
//	Offer ─▶ queue of the integration ─▶ Render ─▶ Receiver ─▶ Done
//	                  ▲                               │
//	                  └── backoff, until the deadline ┘
//
// Each integration of each receiver has a queue and a bounded number of workers of its own, so a
// slow remote delays nobody else. Within a queue the order is that of Offer, but for those that
// wait for another attempt; they hold no worker meanwhile. Of one [alarm.IntentionKey] never more
// than one intention is in hand, in the order of Offer, from its first attempt until its outcome was
// stored.
//
// An intention is attempted at least once, however late: what it says is rendered anew, so it is
// never stale. A delivery that was accepted while the store is away keeps its worker until its
// outcome is stored. What a kill makes a remote hear twice is therefore at most one delivery for
// each worker.
//
// A Delivery belongs to the Receiver during Deliver; it may replace Data and modifies nothing else.
//
// A [Reconciler] makes a level-triggered remote agree with the engine: at each interval it asks the
// [Desk] what is believed open and the [Remote] what is open there, decides by [Reconcile], which asks
// nobody, and acts. What was closed there by a hand is opened again by [Policy], what nobody remembers
// is closed, and what is not ours is never touched. A list that fails changes nothing.
//
// # Errors
//
// The class of an error travels with the error. One that wraps [ErrRejected] is never retried, a
// [*ThrottledError] names the least delay and holds back the whole integration, any other is retried
// with exponential backoff (500 ms, growing by half, half of it random, at most a minute: what
// Alertmanager does) until the intention's deadline. A [*ReasonError] adds the word that failures
// are counted by. [ErrNoReceiver] is in the outcome of an intention whose receiver or integration
// the configuration no longer has. A panic of a receiver is reported with its stack and counts as a
// rejection.
//
// # Time
//
// Times are what the clock of package time says; durations are time.Duration.
//
// # Goroutines
//
// Every method of Deliverer may be called at any time from any goroutine. [Deliverer.Run] owns every
// goroutine that the package starts and returns after the last of them. An idle queue has none. A
// Receiver is called from several goroutines at once.
package notify
