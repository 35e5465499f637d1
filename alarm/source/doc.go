// Package source holds the places that alerts come from.
//
// [Push] is the receiving end of API v2 as a library piece: it takes the body of a POST to /alerts,
// decodes it, fills in what the sender left open as Alertmanager does, and submits what is valid as
// one partial [alarm.Snapshot]. It returns when that is committed, so that a 2xx means durable.
// Several alerts of one body are one commit. The valid ones are kept when others are not.
//
// [Rules] asks vmalert or Prometheus what fires, and [Alertmanager] asks Alertmanagers. Each is an
// [alarm.Source] that returns whole snapshots: alerts sorted by fingerprint, and matchers for what is
// unknown. Several addresses are the servers of one highly available system: an alert fires if any of
// them says so, since the earliest time that any gives. That one does not answer well is a warning,
// that none does is an error.
//
// # What an absence is worth
//
// A server lists what fires; what it does not list has ended only if the server knows that. So Rules
// reads /api/v1/rules, which says of each rule how it fared, and believes what a rule lists only if
// its health is ok, it has no last error, and it was evaluated since its server started and in the
// last four intervals and 30 s, by the server's own clock (the header Date). If no server has
// evaluated a rule so, its alerts are unknown, whatever is listed: it is how things were before the
// trouble began. The same holds if the only server that has the rule does not answer, or if the rule
// says that it fires and lists nothing, or something that is not valid.
//
// A snapshot names what is unknown by matchers, since after a restart of ours only Presence has the
// alerts. Those of a rule are known by what all of them carry: the rule's name, its labels unless they
// are empty or templates, and with vmalert alertgroup=~"<group>|", for an alertgroup that is not there
// says nothing (vmalert -disableAlertgroupLabel). What is listed under the rule and not so labelled is
// named by all of its labels. Rules that these do not tell apart are one, in doubt all of it.
//
// An alert that fired at a server and is pending there now is unknown until it fires or is gone: after
// a restart, a server counts anew for how long the condition is true. Alerts of rules that are gone
// from the answer have ended, and so have those whose rule was given other labels. An answer without
// any rules at all is an error ([ErrNoRules]), unless [PullOptions] says that it may be: a proxy that
// has lost its vmalert answers so, with status 200.
//
// An Alertmanager forgets its alerts when it is restarted. While all servers of an Alertmanager source
// are younger than Settle, by the uptime in /api/v2/status, what they do not list is unknown.
//
// # What a failure is worth
//
// A failure is an error, and never an empty snapshot. [alarm.Collect] asks a source that failed once more
// before it says so: one lost answer is noise, two in a row are news. In the same spirit Blind returns
// [ErrBlind] from the second evaluation on in which a server that answers could not evaluate any rule; the
// alerts of its rules are unknown from the first. What is wrong with some of the answers and keeps none of
// them from being used (one of a pair is away, a rule fails, an alert has no name) is told by Problems,
// for people, beside the log and the metrics.
//
// # Push and pull are one alert
//
// Prometheus adds its external labels to what it pushes and not to what it is asked for; vmalert adds
// them to both. Give them as Labels: they are added as Prometheus adds them, an alert's own labels
// win. What relabelling of notifications changes cannot be seen here. A firing alert starts when it
// became active, plus the rule's "for", and not after the evaluation that lists it; that is the time
// that is pushed, within an evaluation. The ends that an Alertmanager gives are ignored.
//
// # Speed
//
// vmalert and Prometheus repeat every alert every minute. Push therefore finds in each element of
// the array the bytes of its labels, annotations and generator URL, and looks up in a bounded cache,
// by a 128-bit seeded hash of them, what they were decoded to before; of a known alert only the two
// times are parsed. The maps of a known alert are shared between all snapshots that hold it, and
// must not be modified, like everything in an alert. Bodies of an unusual shape (nulls, names in
// another case, unknown or repeated names, names with escapes) are left to encoding/json, which
// also words all errors; both ways give the same alerts.
//
// What is asked for is read as it arrives; no more of it is held than one alert. Labels by themselves,
// and annotations with the URL, are found by their bytes in caches of the same kind, so that an alert
// that is listed again shares its maps with the snapshots before.
//
// # Units
//
// Times are UTC. To Push the present is an argument.
//
// # Errors
//
// A [*BodyError] refuses the body as a whole; nothing of it was kept. An [*InvalidError] names the
// alerts that were not valid; the others were kept. Any other error is that of the engine, wrapped:
// nothing was kept, and the sender should try again.
//
// The errors of a source that is asked name it, the addresses, the status and how the answer begins.
// They hold no user, no password and no value of a URL's query, nor does the log.
//
// # Goroutines
//
// A Push may be used by any number of goroutines. It starts none. Rules and Alertmanager may be, too;
// they ask each server in a goroutine, and wait for all of them.
package source
