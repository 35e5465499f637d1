package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/sqlstore"
	"github.com/tocsin/tocsin/alarm/sqlstore/sqlite"
)

// Who holds the lease commits plans; everybody else is refused.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "tocsin")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	db, err := sqlite.Open(filepath.Join(dir, "tocsin.db"), sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	generation, err := db.Acquire(ctx)
	if err != nil { // a *sqlstore.HeldError names who has it
		fmt.Println(err)
		return
	}
	alert := alarm.Alert{Labels: model.LabelSet{"alertname": "DiskFull"}, StartsAt: time.Now()}.WithFingerprint()
	plan := &alarm.Plan{At: time.Now(), Inputs: []alarm.Change{{Kind: alarm.Appeared, Alert: &alert, Source: "push"}}}
	if err := db.Commit(ctx, generation, plan); errors.Is(err, sqlstore.ErrFull) {
		fmt.Println("make room:", err)
	}
	stored, err := db.Load(ctx)
	fmt.Println(stored.Alerts[0].Name(), err)
	fmt.Println(errors.Is(db.Commit(ctx, generation-1, plan), alarm.ErrLeaseLost))
	// Output:
	// DiskFull <nil>
	// true
}
