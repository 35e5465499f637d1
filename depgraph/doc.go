// Package depgraph says which alerts are explained by others.
//
// # Shapes
//
// A [Graph] is made of rules, and is immutable. The edges of a rule lead from each alert that
// matches its Cause to each that matches its Impact and agrees with it in the values of the labels
// that its pairs name; with Via, from what is about one entity of the topology to what is about those
// that depend on it. While a cause fires, its impacts are explained. [Graph.Explain] judges a list of
// alerts at once. A [Suppressor] follows the alerts as they change, and judges again only those that a
// change can concern; it alone knows time. Both only read the alerts that they are given. [Draw] turns
// verdicts into a picture.
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
// # Dependency
//
// [Dependency] differs in this:
//
//	a label is missing      it matches nothing, or everything if the pair is Optional
//	severity                a cause explains only what is not more severe, unless AnySeverity
//	redundancy              Require: as many causes as the topology knows, or a number
//	the impact came first   it waits HoldBack for a cause, counted from when it was first seen to fire;
//	                        whichever came first, the same is told
//	the cause is over       the impact stays withheld for Settle; if it ends meanwhile it is never told
//	it takes too long       after Max, counted from when the rule first withheld the impact, it is told,
//	                        and the rule withholds it no more until it has ended; see [Suppressor.Overdue]
//	the cause is explained  the impact's root is the cause's root
//
// A dependency explains alerts that fire, not pending ones. What is withheld for longer than
// [Options.Untold] by a rule without a Max is withheld on only if somebody knows: an alert of the
// chain was told, or is silenced, in a window, inhibited, or one of so few that a roll-up tolerates
// them. That is asked again after each such time, and one bad answer after a good one is forgiven. So a cause that is itself held back as a transient,
// explained by one that nobody hears of, or routed to nobody, withholds nothing for ever; and every
// reason has an end, or a cause that fires and is known.
//
// Rules whose impacts may be each other's causes are refused by [New]: what two matchers cannot be
// shown to have nothing in common may match the same alert. Of one alone, an alert that matches both
// sides is explained by causes that match one side only, as above.
//
// For each rule that withholds an alert one cause is given, the one with the smallest fingerprint, in
// the order of the rules. So the reasons depend on what fires, not on what happened before.
//
// # Roll-ups
//
// [Rollups] turn many weak alerts into one that states the impact. Their [RollupSuppressor] stands
// before that of the dependencies; a chain leads on from a member to the alert that stands for it. Whether
// one is raised, and as which step, follows each change at once, and costs as much as what changed; its
// text lists all members, and follows within 10 s.
//
// # What is kept
//
// Rows of part "depgraph", one for each impact that a rule withheld since it fires: when first, by what,
// how long it settles, and whether anybody knows of the cause; JSON, times in UTC. They are written when they change, and deleted with the
// end of the alert. Roll-ups keep nothing: the alerts that they raised are kept, and are enough.
//
// # How it is fast
//
// Rules are found by an index over their matchers. Rules with the same impacts share a pool for each
// set of values, which holds the impacts on one side and the causes on the other: whether an alert is
// explained depends neither on the number of rules nor of alerts. The impacts of a pool are judged
// again when the cause that speaks for a rule becomes another, and not when one more fires. A cause of
// a rule that goes via the topology is in the pools of all entities that depend on its own.
//
// # Errors, goroutines
//
// [New] and [NewRollups] join one error for each rule that is wrong. Those for circles are a
// [*CycleError]; the others have no type. A Graph and Rollups may be used by any number of goroutines, a
// suppressor by one at a time, but for [Suppressor.Overdue].
package depgraph
