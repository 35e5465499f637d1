// Package sqlstoretest runs private database servers for tests.
//
// [Postgres] and [MariaDB] start a server with data of its own, on a free port of the loopback
// interface, and end it with the test. A [Server] can be stopped, killed and started again, as often
// as a test likes. A [Proxy] stands between a client and a server and breaks connections on demand.
//
// The programs are Debian's: initdb and postgres of the package postgresql-15 (or any other version),
// and mariadbd of mariadb-server-core. They are looked for in PATH, and in ../sbin and
// ../lib/postgresql/*/bin of each folder there, so that packages that were only unpacked will do. If
// they are missing the test is skipped, and fails if TOCSIN_REQUIRE=1. PostgreSQL refuses to run as
// root; then both run as postgres, or else as nobody.
//
// By default the servers are fast rather than durable: nothing is synced to the disk. A test that is
// about loss of power asks for Durable. The user is tocsin, and the password [Password].
package sqlstoretest
