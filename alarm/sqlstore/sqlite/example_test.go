package sqlite_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
)

// What was committed is there after a restart, and in history.
func Example() {
	dir, err := os.MkdirTemp("", "tocsin")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sqlite.Open("sqlite:"+filepath.Join(dir, "tocsin.db"), sqlite.Options{})
	if err != nil {
		log.Fatal(err) // a *sqlstore.Error or *sqlstore.SchemaError says what to do
	}
	defer db.Close()

	ctx := context.Background()
	generation, err := db.Acquire(ctx)
	if err != nil {
		log.Fatal(err) // a *sqlstore.HeldError names the process that leads
	}
	now := time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC)
	alert := &alarm.Alert{Labels: model.LabelSet{"alertname": "NodeDown"}, StartsAt: now}
	err = db.Commit(ctx, generation, &alarm.Plan{
		At: now, Inputs: []alarm.Change{{Kind: alarm.Appeared, Alert: alert, Source: "push"}},
	})
	if err != nil {
		log.Fatal(err)
	}

	stored, err := db.Load(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stored.Alerts[0])
	history, err := db.History(ctx, alert.Fingerprint(), now, now, 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(history[0].Kind, history[0].Source, string(history[0].Body))
	// Output:
	// NodeDown[3ec635f][firing]
	// appeared push {"labels":{"alertname":"NodeDown"},"startsAt":"2026-01-02T03:04:05Z"}
}
