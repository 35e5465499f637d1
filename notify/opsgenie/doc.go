// Package opsgenie keeps incidents at Opsgenie, or at its successor, Jira Service Management
// Operations (JSM), and pings heartbeats there.
//
// # Shapes
//
// A [Client] is a [notify.Receiver]: it is handed one [alarm.Delivery] for one incident, of one alert or
// of a group, and opens, updates, notes or closes it under an alias of ours (see [Client.Alias]). It
// is a [notify.Remote] as well: it lists what is open under our tag and instance, and reads one
// incident by its alias.
//
// The services accept a write and do it later. Deliver returns when it is done: every accepted request
// is followed by its id, and no write for an incident is sent before the outcome of the former one is
// known. An attempt that breaks off goes on where it stopped when the same delivery comes again; after
// a kill it starts anew, which makes at worst a second note, or a count that is one higher.
//
//	POST ─▶ 202, request id ─▶ wait 0.5 s ─▶ status: not yet ─▶ wait 1 s ─▶ ... ─▶ status: done
//
// Opening, closing and noting take two requests each if the service is quick; an update takes two for
// each field that changed, and is sent only if words, priority or tags changed, or, at most each ten
// minutes, if only numbers did. With JSM updates need its Operations API; without it they become a
// note. Listing takes one request for each hundred incidents.
//
// What a delivery points to is only read. Delivery.Data becomes what the service knows.
//
// # Errors
//
// Deliver's errors are classed as [notify.Receiver] says; an [*APIError] holds the service's answer.
// [ErrNoOperations], [ErrNoHeartbeat] and [ErrNotOpen] can be matched.
//
// # Time
//
// Times are UTC. All waiting is by package time, and ends with the context.
//
// # Goroutines
//
// Methods of Client and [Account] may be called concurrently, but for deliveries of the same key, which
// come one after the other. The package starts no goroutine. Clients of one account share an [Account],
// which is a token bucket for each kind of request; what the service refuses with 429 holds back all.
//
// The services' contract as it is understood here: the vendor's OpenAPI file and SDK for Opsgenie,
// developer.atlassian.com for JSM. Where these are silent the client works with either answer, and
// package opsgenietest can give both.
package opsgenie
