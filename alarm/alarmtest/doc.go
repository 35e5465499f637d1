// Package alarmtest helps to test what is built on package alarm.
//
// [Store] is an alarm.Store in memory that can fail on demand. [ExerciseStore] is the conformance
// suite of a database: it runs against Store, and against each dialect of alarm/sqlstore, so that
// what a test learns with the one holds for the others. [RunTranscripts] plays scenarios that are
// written down in files.
//
// A Store may be used from any goroutine. It keeps the values that it is given, so they must not be
// modified afterwards, as everywhere in package alarm. Times are compared as UTC with nanoseconds.
// Errors that were injected are returned as they are; [ErrInjected] is one for those who need none
// in particular.
package alarmtest
