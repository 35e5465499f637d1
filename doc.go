// Package tocsin is a map; it holds no code. tocsin (an alarm bell) makes alarms worth waking up for:
// a set of packages to embed, and a server built from them that stands in for Alertmanager.
//
// # The packages
//
//	alarm              the nouns, the engine, and the interfaces that it consumes
//	  alarm/matcher    Alertmanager's matcher language; a leaf that every package may import
//	  alarm/source     where alerts come from: what is pushed, and vmalert, Prometheus and Alertmanager asked
//	  alarm/silence    muted by a person, or by a plan: silences and maintenance windows
//	  alarm/route      the routing tree: groups, receivers, timers, time intervals
//	  alarm/sqlstore   state, history and outbox in a database; below it one package for each dialect
//	  alarm/apiv2      Alertmanager's API v2 over an engine
//	  alarm/metrics    shows an engine to Prometheus
//	  alarm/failpoint  places where tests have a process die; nothing in other builds
//	  alarm/alarmtest  working fakes, and the suite that every store has to pass
//	dedupe             presence: what several sources say, as one list of what fires; hold, flap and flood
//	depgraph           causes and impacts, topology, roll-ups; Alertmanager's inhibit rules among them
//	notify             delivers what the outbox holds, and makes remotes agree with us
//	  notify/amreceiver  Alertmanager's own integrations as receivers
//	  notify/opsgenie    Opsgenie and JSM Operations; below it a fake of both
//	  notify/heartbeat   proves to somebody else that we live
//	discovery          health endpoints and what they say, as a source of alerts
//	  discovery/probe    asks them;  discovery/kube finds them in a cluster
//	  discovery/vlogs    keeps what they said in VictoriaLogs, and reads it back
//	cache              the latest of all environments in four tiers; below it the same in Redis
//	cmd/server         the server as a function, for those who bring a source of their own
//	cmd/tocsin         the binary
//
// Imports point one way: a child imports its parent, siblings never each other, alarm imports
// alarm/matcher alone, and nothing but cmd and examples knows the server. The tests beside this file
// hold all packages to that, to what an importer pays, and to the house's other rules.
//
// # The cycle
//
//	sources ─▶ snapshots ─presence─▶ firing alerts ─suppress─▶ verdicts ─route─▶ groups ─▶ Plan{Add, Update, Close, Exclude}
//	                                                                                          │ commit: one transaction
//	                          remote ◀─receiver─ deliverer ◀─intentions─ outbox ◀─────────────┘ state, history, outbox
//
// The engine is level-triggered: each cycle computes what should be open from what fires, and
// compares it with what was told. Decisions are functions of their arguments, with the time among
// them; effects happen at the edge, from a plan that was committed before. Hence a restart forgets
// nothing: an alert that was told is closed when it ends, one that was not is told, and nothing is
// told twice but what was on its way.
//
// Three rules hold everywhere. Silence is not recovery: an alert ends because a healthy source no
// longer reports it, never because a source failed. The same input gives the same plan. Nothing
// leaves unrecorded, and nothing is withheld without a reason.
//
// Start at package alarm to embed the engine, at depgraph or dedupe to use one idea by itself, and at
// cmd/server to run the whole.
package tocsin
