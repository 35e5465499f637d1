package mysql_test

import (
	"fmt"
	"testing"

	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/mysql"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlstoretest"
)

// fresh makes databases of a server that syncs each commit to the disk.
func fresh(b *testing.B) sqlstoretest.Fresh {
	server := sqlstoretest.MariaDB(b, sqlstoretest.Options{Durable: true})
	n := 0
	return func(b *testing.B) *sqlstore.DB {
		n++
		return open(b, newDatabase(b, server, fmt.Sprintf("bench%d", n)), mysql.Options{})
	}
}

func BenchmarkCommit(b *testing.B) { sqlstoretest.BenchmarkCommit(b, []int{10_000, 100_000}, fresh(b)) }

func BenchmarkOne(b *testing.B) { sqlstoretest.BenchmarkOne(b, fresh(b)) }

func BenchmarkLoad(b *testing.B) { sqlstoretest.BenchmarkLoad(b, []int{10_000, 100_000}, fresh(b)) }

func BenchmarkFollow(b *testing.B) { sqlstoretest.BenchmarkFollow(b, fresh(b)) }
