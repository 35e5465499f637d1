// Package discovery knows what health endpoints say: it reads documents of every usual format as one kind
// of tree, and turns what many services say into alerts.
//
// # Shapes
//
//	Target ─probe─▶ Answer ─Parse─▶ Report ─▶ Health ─Carry─▶ Cycle ─▶ Board ─▶ alarm.Snapshot
//
// A [Target] is one health endpoint; package kube finds them. What one answers ([Answer]) is read by [Parse]
// into a [Report]: state, dependencies ([Node]), data, hashes. A [Health] is a report at a time, or the reason
// why there is none ([NoAnswer]); [Carry] completes it from the one before. A [Cycle] is what one agent found
// in one round; package probe makes them. A [Board] holds the latest of all agents and is an [alarm.Source] and
// an [alarm.Topology]. Values that were handed over are never modified afterwards.
//
// # Formats
//
// The format is told by the document's members, without regard to their case and order, and not by the
// content type alone: ASP.NET Core (plain, HealthChecks UI and hand-written ones), Spring Boot 1 to 3,
// MicroProfile and Vert.x, health+json in all drafts, alexliesenfeld/health, hellofresh/health-go, Terminus,
// heptio, Kubernetes' verbose lines, single words, and JSON with a status and little else. A document inside a
// dependency's data is read too, up to four deep. What is no health document, such as a login page with 200, is
// never taken for one. [Word] is the one table of status words.
//
// The document's own word counts; the HTTP code makes it worse where it disagrees, and a dependency that is
// worse than the whole does not: such reports are marked Contradicts. A code that says that we asked wrongly
// (401, 403, 404, a redirect) makes the service unknown, not failing. The table is at the function judge.
//
// # Hash
//
// Report.Hash covers names, structure, states, words, messages, tags, versions and data; it leaves out
// durations, times, operation counts, measurements, data that is a number, a time, a duration or a UUID, and
// the digits in messages: all that changes at each probe of a healthy service. [Report.StateHash] covers
// paths and states alone.
//
// # Limits
//
// 32 levels, 5,000 nodes (the failing ones first), 2 KiB of a message, 256 bytes of a name, 64 values of data
// with 512 bytes each; a report beyond that is Truncated. Passwords and tokens are masked in messages and
// data. Raw documents are as they came.
//
// # Alerts
//
// All failing services of a namespace that is active are one alert, and those of one that is passive another:
//
//	HealthServicesFailing{cluster, namespace, environment, activity="active", severity="critical", priority="P1"}
//	HealthServicesFailing{cluster, namespace, environment, activity="passive", severity="warning", priority="P2"}
//	TocsinAgentDown{cluster, agent, severity="critical"}
//	TocsinSourceDown{source, severity="critical"}, and no TocsinAgentDown, while no agent can be heard ([Board.Deaf])
//
// The failing services are in the annotations, which change only when the services do. Whether an
// environment is active comes from a label or from a pointer into the document ([ActivityRule]), or from a
// query ([Board.SetActivity]); one active service makes it active, and unknown counts as active.
//
// A service of which nothing is known, because its agent is overdue or blind or a part of what it
// found is missing, because it was asked wrongly, or because it says that it does not know, has neither failed nor recovered: an alert that it had part in is
// unknown in the snapshot until every service that failed was seen well again. What was not heard since the
// start of the Board is unknown too. A service leaves when its agent no longer has it, an agent when it is
// forgotten ([Board.Forget]) or a cycle says that it is gone.
//
// # Units, time, goroutines, errors
//
// Durations and counts that a document does not give are [NotGiven]. Times are UTC; those of documents are
// shown and never used to order anything. Functions are pure; a Board may be used by several goroutines.
// [ErrNotHeard] is the only error to be matched.
//
// JSON is read by github.com/valyala/fastjson, which keeps numbers as text and forgives NaN, both of which
// health documents need; its depth is bounded before ours is.
package discovery
