// Package probe asks the health endpoints of many services, again and again, and delivers what it finds
// once per cycle.
//
// # Shapes
//
// A [Prober] is given a function that returns the targets of the moment, such as the method Targets of
// kube's Discovery. [Prober.Run] goes through them in each cycle and hands over one [discovery.Cycle] at
// its end: a [discovery.Health] for each target, sorted by key, completed by [discovery.Carry] from what
// was known before. Documents are not part of a cycle, since 4,200 of them may have 700 MB: whoever wants
// them is called with each as it comes ([Options.Result]).
//
// # Load
//
// A target is asked at the same offset in each cycle, which its key determines: the load is spread evenly
// over the cycle, and a service is asked at even intervals. At most Concurrency requests are under way in
// all and PerHost to one host; a host that hangs delays its own targets only. What cannot be asked in its
// cycle is unknown in it. Connections are kept alive. Documents are parsed on as many cores as there are,
// and not at all if they have the same bytes as before.
//
// A redirect is followed within its host. One that leads elsewhere is not: who follows it asks somebody
// else how our service is.
//
// # When our own network is gone
//
// A request that fails below HTTP says that the service is down or that we are cut off. So the anchors
// ([Options.Anchors]) are asked at that moment: if none of them can be reached, nothing is known of the
// service. Without anchors, a cycle in which no target of at least two hosts answers is believed to be our
// own trouble; the same holds with anchors if no name could be resolved. Such a cycle is Blind, and says
// nothing of any service. Three of them in a row are an alert ([discovery.Board]): blindness is never
// silent.
//
// # Errors and goroutines
//
// [New] returns an error for options that make no sense. Run returns when its context ends and all requests
// have returned; it never fails otherwise. What goes wrong with a target is in its Health. A Prober is run
// once at a time. Times are UTC by the prober's own clock.
package probe
