// Package reference is a model of what a group of tocsin servers may tell, and must. It is what the servers
// are compared with when random things happen to them, and so it shares no code with them: it knows what
// fires, what mutes and explains, and where routes lead, and nothing of how that is found out.
//
// # Shapes
//
// A trace is a list of [Step]s, such as an alert that fires, a silence, or a server that is killed; [Random]
// makes one. A [Model] is told of each step when it was acknowledged, by [Model.Do]. It knows no clock: what
// it knows exactly is how things are once nothing happens any more, at the steps that settle. Between two of
// these it knows what may have been the case, for a message may be on its way while the next step is done.
// [Model.Check] compares what is open, and [Model.CheckTold] what was told meanwhile; [Model.Settle] begins
// the next segment. What they return is wrong, as sentences, and empty if all is well.
//
// A Model is for one goroutine.
package reference
