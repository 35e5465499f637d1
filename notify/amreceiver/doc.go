// Package amreceiver runs Alertmanager's own integrations (Slack, PagerDuty, e-mail, webhooks and
// all the others), by its own packages, as receivers, and reads the state that an Alertmanager leaves
// behind.
//
// # Shapes
//
// [Build] makes, out of Alertmanager's configuration, a notify.Integration for each entry of each
// receiver that a route uses, and what the engine has to know of them. Each delivers what
// Alertmanager itself would send for the same alerts, byte for byte: a [Receiver] puts into the
// context what Alertmanager's dispatcher and stages put there and calls the integration. The
// arguments are not modified and must not be modified afterwards.
//
// A webhook's message has one header more, [IdempotencyHeader]: alarm.Delivery.IdempotencyKey in quotes,
// so that a receiver can drop what it is sent again because an answer was late or a server was killed: a
// message whose key is that of the last one that it accepted for the same receiver and groupKey.
//
// [ImportSilences] and [ImportTold] read the files silences and nflog in Alertmanager's
// --storage.path, of any version since 0.15. Told has no more than the files: hashes, not labels.
//
// # Data
//
// What an integration remembers of a group, such as the message that Slack is to update, is kept in
// alarm.Delivery.Data in the protobuf form of Alertmanager's notification log.
//
// # Errors
//
// Build returns all problems of all receivers at once. An error of Deliver wraps notify.ErrRejected
// if Alertmanager would not retry it, and is a *notify.ReasonError with Alertmanager's reason. An
// import returns what is readable together with an error that says how far it got.
//
// # Goroutines
//
// A Receiver may be used by any number of goroutines. The package starts none.
package amreceiver
