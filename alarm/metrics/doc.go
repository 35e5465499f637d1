// Package metrics shows an engine to Prometheus. It is apart from package alarm so that nobody who
// imports that, or depgraph or dedupe, pays for a metrics library that they may not use.
//
// # Shapes
//
// [New] registers what is counted as it happens, and is the engine's observer; [Metrics.Watch]
// registers what is asked for at each scrape. Names and labels are documented in their help texts, and
// are few: reasons, kinds of change, names of sources.
//
// # Units, goroutines
//
// Times are seconds. All methods may be called by any number of goroutines.
package metrics
