// Package health answers what is known of every environment: the API below /api/v1/health/, and the rows that
// the pages print.
//
// # Shapes
//
// A [Source] gives one version of all that is known; *cache.Reader is one, over this process's memory or over
// Redis. [Environments], [Clusters], [Services] and [Across] make rows out of a version, and [API] serves
// them: the lists from memory, for they are made when a version comes ([API.Prepare]). Rows are sorted, and the same version gives the same rows.
//
// # Guarantees
//
// An answer is of one version, never a mixture of two, and says which one, when it was made, and since when
// and why it is stale, if it is. What is not known is never shown as well: a service whose agent is not
// heard is unknown.
//
// # Errors and goroutines
//
// Without any version the API answers 503, and 404 for an environment or a service that the version does not
// have. Everything may be used by several goroutines; none is started here. Times are UTC.
package health
