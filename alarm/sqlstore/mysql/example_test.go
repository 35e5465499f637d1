package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/mysql"
)

// Several servers open the same database; one of them leads.
func Example() {
	ctx := context.Background()
	db, err := mysql.Open(ctx, "mysql://tocsin:secret@db.example/tocsin?tls=true", mysql.Options{Name: "http://one:9093"})
	if err != nil {
		log.Fatal(err) // a *sqlstore.Error or *sqlstore.SchemaError says what to do
	}
	defer db.Close() // gives the lease back

	generation, err := db.Acquire(ctx)
	var held *sqlstore.HeldError
	if errors.As(err, &held) {
		fmt.Println(held.By, "leads: follow it, and try again each second")
		copied := &alarm.Stored{}
		delta, err := db.Follow(ctx, sqlstore.Leadership{})
		if err != nil {
			log.Fatal(err)
		}
		delta.Apply(copied) // and again each second with what moved since delta.Leadership
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	until, err := db.Renew(ctx, generation) // each 2 s
	if err != nil {
		log.Fatal(err) // alarm.ErrLeaseLost: another server has taken over
	}
	fmt.Println("we lead for", time.Until(until))
}
