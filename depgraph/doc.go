// Package depgraph says which alerts are explained by others.
//
// # Shapes
//
// A [Graph] is made of rules, and is immutable. The edges of a rule lead from each alert that
// matches its Cause to each that matches its Impact and agrees with it in the values of the labels
// that its pairs name. While a cause fires, its impacts are explained. [Graph.Explain] judges a list
// of alerts at once; a [Suppressor] follows the alerts as they change, and judges again only those
// that a change can concern. Both only read the alerts that they are given.
//
// # Inhibition
//
// [Inhibition] is what Alertmanager documents for its inhibit_rules. An impact is muted while any
// cause fires that has the same values for the labels named; a label that is missing is the same as
// an empty one. An alert that matches both sides of a rule is not inhibited by alerts of which that
// is true as well, itself among them. An alert that is itself inhibited, or silenced, inhibits
// nevertheless. A pending alert is no cause. Any source that qualifies counts, whatever order they
// came in: that earlier versions of Alertmanager remembered one per set of values is not imitated.
//
// For each rule that mutes an alert one cause is given, the one with the smallest fingerprint, in
// the order of the rules. So the reasons depend on what fires, not on what happened before.
//
// # How it is fast
//
// Rules are found by an index over their matchers. Rules with the same impacts share a pool for each
// set of values, which holds the impacts on one side and the causes on the other: whether an alert is
// inhibited depends neither on the number of rules nor of alerts. The impacts of a pool are judged
// again when the cause that speaks for a rule becomes another, and not when one more fires.
//
// # Errors, goroutines
//
// [New] joins one error for each rule that is wrong; they have no type. A Graph may be used by any
// number of goroutines, a Suppressor by one at a time.
package depgraph
