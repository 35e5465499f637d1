// Package sqlstore keeps the engine's state, its history and its outbox in an SQL database.
//
// # Shapes
//
// A [DB] is an [alarm.Store] and an [alarm.Historian], and it holds the lease. It speaks plain SQL
// through database/sql; what differs between databases is one [Dialect] value, and each dialect has
// a package of its own that imports the driver: sqlstore/sqlite, sqlstore/postgres, sqlstore/mysql.
//
// The tables carry the words of the Go types: alerts, silences, groups, told, intentions, verdicts
// and parts hold the state; history holds what happened; meta holds the instance's ID, the lease's
// generation and what was imported. A noun is one row with its JSON in the column body. Values
// that are handed over are not kept and not modified; what is returned belongs to the caller.
//
// [DB.Commit] writes a plan in one transaction. A plan that both sets and removes the same thing
// removes it. A verdict without suppressions is a row less; so is an alert that was forgotten, and
// its verdict with it.
//
// # History
//
// A record's kind is the kind of the change (appeared, changed, ended), or verdict, add, update,
// close, delivered, failed, unsent, silence, silence-removed, or the kind of the event. The body is
// JSON: for a change the whole alert, as its source said it, so that outputs can be computed again
// from inputs. Record IDs rise in the order of the commits and are never used again.
//
// [DB.Export] streams history as JSON lines. [DB.Prune] is retention: it deletes a batch in a short
// transaction, so that commits get their turn. What the databases need besides (VACUUM, OPTIMIZE,
// backups) stands in the packages of the dialects.
//
// # Several servers
//
// On a server ([Server]) the lease is a row that ends unless it is renewed. The database's clock
// decides when: the clocks of those who share it do not matter. [DB.Acquire] fails with a *HeldError
// while another server leads, and raises the generation when it succeeds. [DB.Renew], which is to be
// called each quarter of the TTL, says until when the lease surely holds by our own monotonic clock:
// deliver nothing after that. A lease that ended and that nobody took can be renewed, and every commit
// extends it.
//
// Each commit begins with an update of the lease's row, which must name the generation, the holder and
// the number of the commit before. Hence a late leader is refused with [alarm.ErrLeaseLost] inside the
// transaction; nobody takes over in the middle of a commit; and a leader that falls silent in the
// middle of one is cut off by the database, for its session may not rest in a transaction for longer
// than 6 s.
//
// How long a take-over takes is bounded by the lease. A leader that releases it, as at SIGTERM, is
// followed as soon as another one asks again. One that dies or falls silent has renewed the lease up to
// 2 s ago, or with its last commit: what is left of the TTL of 8 s has to pass, then somebody has to ask,
// which cmd/server does each half second, and the new leader has to load the state. make torture-ha
// measures it.
//
// The outcome of a commit whose answer is lost is unknown: it may even take effect later, when the
// bytes arrive. So a DB remembers that a commit failed, and its next Load (or Commit) first waits for
// the lock on the row, which the lost transaction holds until its outcome is settled. What Load says
// then remains true. If the database itself has lost commits, as a standby may that was promoted, the
// numbers do not match, and a commit fails until the state is loaded again.
//
// Those who do not lead read [DB.Follow]: asked with the leadership that the last [Delta] held, it
// costs one row if nothing moved, and otherwise what changed, found by the version that each row
// carries and by the table removed. [Delta.Apply] brings a copy up to date. Asked once a second, it
// keeps the copy no more than 2 s old. The same answer says who leads, under which name and since when.
//
// A connection that is lost makes the call under way fail, with [ErrUnavailable]; the next one makes a
// new connection. No call waits for longer than its [Server.Timeout].
//
// # Layout
//
// An alert arrives with a random fingerprint, so an index by fingerprint costs one dirty page for
// each alert, in the log and again in the database. Hence two peculiarities. The alerts' rows stand
// in order of arrival, and the DB remembers which row belongs to which fingerprint, for as long as
// it holds the same generation. And history is cut into blocks of 4,096 records, or as many more as
// one commit adds: the index is by block and fingerprint, so that only the end of it is ever
// written, and a reader looks once into each block that overlaps the time it asks for. When both
// layouts were tried on SQLite, with a million new alerts in commits of 64 and without the JSON,
// this one took 13 µs CPU for each alert, and one with indexes by fingerprint 45 µs.
//
// # Text
//
// Strings come back as they were, byte for byte, valid UTF-8 or not: a byte that is part of no
// character is written into the JSON as the lone surrogate U+DC80 to U+DCFF, as Python's
// surrogateescape (PEP 383) does. Other readers of the JSON see U+FFFD there. Empty maps and lists
// come back as nil.
//
// # Units and time
//
// Times are UTC with nanoseconds, in JSON by RFC 3339; a zero time is left out, and a year beyond
// 0 to 9999 is cut to that. The columns at, first_at and last_at are nanoseconds since 1970.
//
// # Errors
//
// Errors of the driver are mapped once, in the dialect's package, to an [*Error] that matches
// [ErrLocked], [ErrReadOnly], [ErrFull], [ErrCorrupt] or [ErrUnavailable] and says where and what
// to do. A [*SchemaError] means that a newer version made the tables, a [*HeldError] that another
// process holds the lease. [alarm.ErrLeaseLost] is what a late leader's commit gets.
//
// # Goroutines
//
// A DB may be used from any goroutine: writes take turns, reads run beside them.
package sqlstore
