// Package mysql keeps the state in a MySQL or MariaDB database that several servers share.
//
// [Open] takes a URL, such as mysql://tocsin:secret@db.example:3306/tocsin?tls=true, and returns a
// [sqlstore.DB]. The database must exist, and the user must have all privileges on it. The one
// parameter besides is socket, the path of a Unix socket to use in place of host and port. No message
// shows the password. It needs MySQL 8.0 or MariaDB 10.6, with InnoDB.
//
// # Connections
//
// One connection writes, and some others read beside it. They are to reach the server itself, or a
// proxy that keeps sessions apart. If a server falls silent in the middle of a transaction (SIGSTOP,
// a lost network), the database ends the session after 6 s, so that another server can take over. A
// connection that is lost is replaced by the next call.
//
// # Durability
//
// What was committed survives a loss of power as far as the server's settings say: leave
// innodb_flush_log_at_trx_commit and sync_binlog at 1, and innodb_doublewrite on. Of a cluster with
// several writable nodes (Galera, group replication) name one: conflicts between nodes show at the
// commit alone, and look like a server that takes turns with itself.
//
// # Care
//
// Retention deletes in small batches, and the pages that it empties are used again. OPTIMIZE TABLE
// history gives them back to the system after retention was shortened, and makes a copy of the table
// meanwhile. Back up with mariadb-dump or mysqldump, with --single-transaction --hex-blob. SELECT
// CONVERT(body USING utf8mb4) FROM alerts shows what is stored.
//
// Errors are those of sqlstore. A DB may be used from any goroutine.
package mysql
