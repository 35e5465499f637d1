// Package route is the routing tree: it says which groups an alert belongs to, who is told of them
// and when, and whether a time interval mutes them.
//
// # Shapes
//
// A [Route] is the plain description of a node and all below it; [New] checks it and makes a [Tree],
// an alarm.Router whose routes never change. Nobody may modify the description afterwards, nor what a Tree
// returns: it is shared.
//
// # Matching
//
// The rules are Alertmanager's. A label set enters at the root and descends, from left to right,
// into each child that matches, and stops at the first one whose Continue is false. A node none of
// whose children matches is where it ends up. So each label set ends up somewhere, and more than
// once only through Continue.
//
// A child inherits Receiver, GroupBy and GroupByAll, Wait, Interval, Repeat, and Labels (merged, the
// child's own win). It does not inherit Matchers (which add up along the path anyway), Continue,
// MuteTimeIntervals and ActiveTimeIntervals: intervals hold for exactly the node that names them.
//
// Route IDs and group keys are Alertmanager's to the byte, so that what its notification log knows
// of a group is found again.
//
// # Teams
//
// A [Team] owns alerts by their matchers, clusters and alert groups, wherever these stand in the tree.
// An alert goes to every team that owns it, with the grouping and the timers of the root, beside
// where the tree leads it. The root's own receiver is for what neither a team nor another route takes:
// [Tree.Owned] says so. A receiver that both lead to is told once.
//
// # Time intervals
//
// [Tree.Muted] says by which intervals a route is muted: by all of its ActiveTimeIntervals if it is
// within none of them, else by those of its MuteTimeIntervals that it is within, each named once.
// An interval without a location is in UTC. Within a day an interval goes by the local clock: an
// hour that daylight saving time leaves out is never reached, and one that it repeats counts twice.
//
// # Errors
//
// [New] returns all problems at once, joined, each an [*InvalidError] that says where it is.
//
// # Goroutines
//
// [Tree.Route] keeps the groups that it made, and must be called by one goroutine at a time.
// [Tree.Match], [Tree.Receivers] and [Tree.Muted] may be called by any number of goroutines at any
// time, during Route as well.
package route
