package vlogs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// ErrNoReceipt is returned by [Writer.Receipt] if VictoriaLogs took a row with a 200 and does not have it:
// it drops what it does not like without a word.
var ErrNoReceipt = errors.New("VictoriaLogs said 200 to a row and does not have it: look at its log and at vl_rows_dropped_total")

// patience is how long a row may take to be found: a second as a rule. It is looked for by its fields, since a
// filter on the stream that is asked once too early goes on missing a stream that is new for some ten seconds.
const patience = 10 * time.Second

// Receipt writes a row and reads it back. It takes a second or more.
func (w *Writer) Receipt(ctx context.Context) error {
	now := time.Now().UTC()
	nonce := rand.Text()
	l, err := line(struct {
		row
		Nonce string `json:"nonce"`
	}{row{Time: now, Message: kindReceipt, Kind: kindReceipt}, nonce})
	if err != nil {
		return err
	}
	if err := w.post(ctx, w.encoder.EncodeAll(l, nil)); err != nil {
		return fmt.Errorf("write a receipt: %w", err)
	}
	a := asker{url: w.url, client: w.client, header: w.opts.Header, limit: 1 << 20}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for deadline := now.Add(patience); time.Now().Before(deadline); {
		found := false
		err := a.ask(ctx, `kind:="receipt" nonce:="`+nonce+`" | fields nonce`, now.Add(-ahead), now.Add(ahead), func([]byte) error {
			found = true
			return nil
		})
		if err != nil {
			return fmt.Errorf("read a receipt: %w", err)
		}
		if found {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ErrNoReceipt
}

// receipts checks now and then. While VictoriaLogs is away that is known anyhow.
func (w *Writer) receipts(ctx context.Context) error {
	tick := time.NewTicker(w.opts.Receipt)
	defer tick.Stop()
	for {
		err := w.Receipt(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			w.metrics.receipts.WithLabelValues("found").Inc()
		case errors.Is(err, ErrNoReceipt):
			w.metrics.receipts.WithLabelValues("missing").Inc()
			w.opts.Logger.Error("rows do not arrive", "err", err)
		default:
			w.metrics.receipts.WithLabelValues("failed").Inc()
			w.opts.Logger.Warn("a receipt was not to be had", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
