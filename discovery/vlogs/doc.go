// Package vlogs writes what agents find to VictoriaLogs, and reads the latest of it.
//
// # Shapes
//
// A [Writer] takes documents as they come ([Writer.Document] fits probe's Options.Result but for its error)
// and each [discovery.Cycle] at its end, and puts both into a spool as batches; [Writer.Run] sends them. A
// [Reader] gives the last cycle of each agent and documents by the hash of their answer: it is what
// package cache calls a Source. Rows are
//
//	{kind="state"}  a service in a cycle: status, why, reason, latency, counts, hash, target; about 0.5 KB
//	{kind="cycle"}  an agent's cycle, written after its states: interval, blind, how many services; [Dismiss]
//	                writes one for an agent that is gone
//	{kind="doc"}    a document as one text field, when its hash is new and each ten minutes
//
// with kind, cluster, namespace and service as the stream. The latest of all comes with one LogsQL query over
// named columns: it never touches the documents.
//
// # What a 200 is worth
//
// VictoriaLogs answers 200 to rows that it throws away. So names are values and never keys, and documents
// are never flattened (there is a limit of fields); a line is measured, and a document that is too long for
// one is written in parts (a line that is too long is dropped, with those behind it); text is made valid UTF-8;
// the content type is no form's. [Writer.Receipt] writes a row and reads it back, and a cycle says how many
// rows it has: of a cycle that is not complete no service is believed to be gone.
//
// An answer that was cut is an error, never a short answer ([ErrCut]): out of time in the middle of an
// answer, VictoriaLogs closes the connection after a 200.
//
// # Spool
//
// Every batch goes through the spool. With a folder, what Write returned without an error for survives a
// crash of this process and of the machine; without one it does not. While VictoriaLogs is away the spool
// grows: 24 hours of 4,200 services each 30 s are below a gigabyte with the documents that change. When it
// is full the oldest batches are dropped, counted and logged. Rows may arrive twice and late: readers do not
// mind.
//
// # Errors, goroutines, units
//
// [ErrCut] and [ErrNoReceipt] can be matched. Writers and Readers may be used by several goroutines; only Run
// starts some, and waits for them. Times are UTC. VictoriaLogs 1.24 or later.
package vlogs
