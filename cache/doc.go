// Package cache answers any question about hundreds of environments in milliseconds: it keeps the last
// version of all that is known in four tiers, and a version is all of them or none.
//
// # Shapes
//
//	Source ─Cycles─▶ plan ─tasks─▶ Queue ─▶ workers ─details─▶ Store ◀─View─ Reader
//	                   └──────────── small tiers, flip ──────────▲
//
// The tiers are a [Summary] (a kilobyte), the failing services ([FailingService], ten), a search index, and
// a [Detail] for each environment (a megabyte, compressed, with the documents). A [Writer] writes results
// that this process has. A [Refresher] is one of several workers: the one that holds the publisher's lease asks
// the [Source] for the latest states, plans what changed, puts that on the [Queue], takes tasks like all
// the others, and publishes when all are done. A [Reader] gives a [View] of the current version, whose
// answers all belong together. [Direct] is a Source for those who probe in the same process.
//
// A [Store] keeps immutable blobs and which version is current; [Memory] and [MemoryQueue] are those of one
// process, package rediscache has those of several. What was handed over or returned is not to be modified.
//
// # What a refresh does
//
// What is listed is taken over. What its own agent no longer lists is gone, as is what an agent had that is said
// to be gone itself. What nobody speaks of, because its agent is silent or blind or was not heard to the end, is
// lost: unknown, with the detail that it had. If fewer than 70 % of the services that were heard before are
// accounted for, nothing is changed ([ErrPartial]) and the version is marked stale; so it is when upstream fails.
// So half of all may be removed at once, if their agents say so, and may not fall silent. The table is at the
// function makePlan. Details are written again only if what they hold changed, measurements aside, and each ten
// minutes. A service that does not answer keeps the document that it had; if the store was emptied, it has what the
// Source still knows ([Recaller]).
//
// FirstSeen and FailCount of a failing service go from version to version. Being unknown changes neither.
//
// # Guarantees
//
// A reader never sees parts of two versions. Only the holder of the lease publishes, and only on top of the
// version that it read: who was paused is refused ([ErrNotPublisher], [ErrConflict]). A task of a worker that
// died is done by another, and counts once. A version that is not finished in 90 s is abandoned
// ([ErrAbandoned]). While the store is away a Reader answers from what it read last, and its View says so.
//
// # Errors, goroutines, time
//
// The errors above, [ErrEmpty], [ErrExpired] and [ErrUnknown] can be matched. Readers, stores and queues may
// be used by several goroutines, a Writer or a Refresher by one at a time; goroutines that a call starts have
// ended when it returns. Times are UTC and given by the caller, but for leases, claims and expiry.
package cache
