package vlogs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Run sends what is in the spool, the oldest first and one batch at a time, until ctx ends; then what is in
// no batch yet goes into the spool. It checks the receipt at the start and now and then. What VictoriaLogs
// does not take for lack of space, time or network is sent again: rows may then be there twice. What it
// calls broken is dropped, counted and logged.
func (w *Writer) Run(ctx context.Context) error {
	defer w.client.CloseIdleConnections()
	g, sending := errgroup.WithContext(ctx)
	g.Go(func() error { return w.send(sending) })
	if w.opts.Receipt > 0 {
		g.Go(func() error { return w.receipts(sending) })
	}
	err := g.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(err, w.cut())
}

// A rejectedError is an answer that sending again does not change.
type rejectedError struct {
	status int
	text   string
}

func (e *rejectedError) Error() string {
	return fmt.Sprintf("VictoriaLogs answers %d: %s", e.status, e.text)
}

// The pauses between attempts double from one to the other.
const (
	shortest = time.Second
	longest  = 30 * time.Second
)

func (w *Writer) send(ctx context.Context) error {
	pause := shortest
	for {
		id, data, ok, err := w.spool.first()
		if err == nil && !ok {
			select {
			case <-w.spool.wake:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err == nil {
			if err = w.post(ctx, data); ctx.Err() != nil {
				return nil
			}
		}
		var rejected *rejectedError
		switch {
		case err == nil:
			w.metrics.batches.WithLabelValues("sent").Inc()
		case errors.As(err, &rejected):
			w.metrics.batches.WithLabelValues("rejected").Inc()
			w.opts.Logger.Error("a batch was rejected and is lost", "err", err)
		}
		if err == nil || rejected != nil {
			if err = w.spool.done(id); err == nil {
				pause = shortest
				continue
			}
		}
		w.metrics.batches.WithLabelValues("retried").Inc()
		w.opts.Logger.Warn("a batch was not sent and waits", "err", err, "pause", pause)
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-ctx.Done():
			return nil
		}
		pause = min(2*pause, longest)
	}
}

// post sends one body. The content type must not be a form's, as many clients' default is: then the body
// is taken for the form's, and the answer is 200.
func (w *Writer) post(ctx context.Context, data []byte) error {
	q := url.Values{"_stream_fields": {streamFields}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/insert/jsonline?"+q.Encode(), bytes.NewReader(data))
	if err != nil {
		return err
	}
	addHeader(req, w.opts.Header)
	req.Header.Set("Content-Type", "application/stream+json")
	req.Header.Set("Content-Encoding", "zstd")
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNoContent:
		return nil
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return &rejectedError{resp.StatusCode, strings.TrimSpace(string(text))}
	default:
		return fmt.Errorf("VictoriaLogs answers %d: %s", resp.StatusCode, strings.TrimSpace(string(text)))
	}
}

func addHeader(req *http.Request, header http.Header) {
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
}
