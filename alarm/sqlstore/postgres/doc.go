// Package postgres keeps the state in a PostgreSQL database that several servers share.
//
// [Open] takes a URL, such as postgres://tocsin:secret@db.example:5432/tocsin?sslmode=verify-full, or
// libpq's keywords and values, and returns a [sqlstore.DB]. The database must exist, and the user must
// be allowed to make tables in its first schema. No message shows the password.
//
// # Connections
//
// One connection writes, and some others read beside it. They are to reach the server itself, or a
// pooler in session mode: the lease relies on sessions. If a server falls silent in the middle of a
// transaction (SIGSTOP, a lost network), PostgreSQL ends that transaction after 6 s, so that another
// server can take over. A connection that is lost is replaced by the next call.
//
// # Durability
//
// What was committed survives a loss of power as far as the server's settings say: leave fsync,
// full_page_writes and synchronous_commit on. With a standby that may be promoted, replicate
// synchronously: what an asynchronous standby lacks was acknowledged and is lost.
//
// # Care
//
// Autovacuum does what is needed; retention deletes in small batches, and the pages that it empties
// are used again. VACUUM FULL history gives them back to the system after retention was shortened; it
// locks the table meanwhile, so stop the servers first or use pg_repack. Back up with pg_dump or
// pg_basebackup. SELECT convert_from(body, 'UTF8')::jsonb FROM alerts shows what is stored.
//
// Errors are those of sqlstore. A DB may be used from any goroutine.
package postgres
