package vlogs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/discovery"
)

// WriterOptions configure a [Writer]. The zero value works.
type WriterOptions struct {
	// Agent is written into documents; states have that of their cycle.
	Agent string

	// Spool is the folder in which batches wait until they are sent. It belongs to one Writer. Empty means
	// memory. Defaults to empty.
	Spool string

	// SpoolBytes bounds what waits, compressed. Beyond it the oldest is dropped. Defaults to 2 GiB in a
	// folder, and to 64 MiB in memory.
	SpoolBytes int64

	// Batch is how many bytes are sent together, before compression. Defaults to 4 MiB.
	Batch int

	// MaxLine is the length of line that VictoriaLogs takes (-insert.maxLineSizeBytes). A longer document
	// is written in parts. Defaults to 256 KiB.
	MaxLine int

	// Documents is after how long a document is written again that has not changed. Each one is written
	// if it is negative. Defaults to 10 min.
	Documents time.Duration

	// Receipt is how often a row is written and read back. Negative means never. Defaults to 10 min.
	Receipt time.Duration

	// Client sends the requests. Defaults to one with a timeout of 60 s.
	Client *http.Client

	// Header is sent with each request: a tenant's AccountID and ProjectID, or Authorization.
	Header http.Header

	// Logger is told what goes wrong. Nil means nobody is.
	Logger *slog.Logger

	// Registerer collects the package's metrics. Nil registers none.
	Registerer prometheus.Registerer
}

// A Writer writes results to VictoriaLogs. Write and Document may be called by several goroutines, and
// never wait for VictoriaLogs; [Writer.Run] sends.
type Writer struct {
	url     string
	opts    WriterOptions
	client  *http.Client
	spool   *spool
	encoder *zstd.Encoder
	metrics *metrics

	mu      sync.Mutex // guards what is below
	buf     []byte     // lines that are not in the spool yet
	written map[discovery.Key]wrote
}

// wrote is when a document was written last.
type wrote struct {
	hash discovery.Hash
	at   time.Time
}

// NewWriter returns a Writer to the VictoriaLogs at a URL such as http://victorialogs:9428. It takes over
// what is in the spool, and sends nothing yet.
func NewWriter(base string, opts WriterOptions) (*Writer, error) {
	u, err := parseURL(base)
	if err != nil {
		return nil, err
	}
	limit := int64(64 << 20)
	if opts.Spool != "" {
		limit = 2 << 30
	}
	opts.SpoolBytes = cmp.Or(opts.SpoolBytes, limit)
	opts.Batch = cmp.Or(opts.Batch, 4<<20)
	opts.MaxLine = cmp.Or(opts.MaxLine, 256<<10)
	opts.Documents = cmp.Or(opts.Documents, 10*time.Minute)
	opts.Receipt = cmp.Or(opts.Receipt, 10*time.Minute)
	if opts.SpoolBytes < 0 || opts.Batch < 0 || opts.MaxLine < 4<<10 {
		return nil, errors.New("the spool's size, the batch or the longest line is too small: leave it out for its default")
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	client := opts.Client
	if client == nil {
		client = &http.Client{Timeout: 60 * time.Second, Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	s, err := openSpool(opts.Spool, opts.SpoolBytes)
	if err != nil {
		return nil, err
	}
	w := &Writer{url: u, opts: opts, client: client, spool: s, encoder: encoder, written: map[discovery.Key]wrote{}}
	w.metrics, err = newMetrics(opts.Registerer, s.held)
	return w, err
}

func parseURL(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%q is no URL of VictoriaLogs: give one such as http://victorialogs:9428", base)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

// Document takes the document of an answer, if its content is new or was not written for some time. While
// VictoriaLogs is away only what is new is. It returns once the document is in the batch; the error is the
// spool's.
func (w *Writer) Document(_ context.Context, h discovery.Health) error {
	if len(h.Raw) == 0 {
		return nil
	}
	k := h.Target.Key()
	waiting, _ := w.spool.held()
	w.mu.Lock()
	defer w.mu.Unlock()
	last, known := w.written[k]
	fresh := known && last.hash == h.Hash && (h.At.Sub(last.at) < w.opts.Documents || waiting > 2)
	if fresh && w.opts.Documents > 0 {
		return nil
	}
	lines, err := docLines(&h, w.opts.Agent, w.opts.MaxLine)
	if err != nil {
		w.metrics.rows.WithLabelValues("too_long").Inc()
		return err
	}
	for _, l := range lines {
		if err := w.append(l); err != nil {
			return err
		}
	}
	w.written[k] = wrote{h.Hash, h.At}
	return nil
}

// Write takes what an agent found: a row for each service, and one for the cycle. When it returns without an
// error, they and all documents before are in the spool: if that is a folder, a crash does not lose them.
// A service that cannot be written is left out; the cycle's row tells that one is missing.
func (w *Writer) Write(_ context.Context, c discovery.Cycle) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var trouble error
	for i := range c.Results {
		s, err := stateOf(&c, &c.Results[i])
		if err == nil {
			err = w.encode(s)
		}
		trouble = errors.Join(trouble, err)
	}
	trouble = errors.Join(trouble, w.encode(cycleOf(&c)))
	if len(w.written) > 2*len(c.Results)+100 { // services come and go
		for k, last := range w.written {
			if c.At.Sub(last.at) > 2*max(w.opts.Documents, time.Minute) {
				delete(w.written, k)
			}
		}
	}
	return errors.Join(trouble, w.cut())
}

func (w *Writer) encode(v any) error {
	l, err := line(v)
	if err != nil {
		return err
	}
	return w.append(l)
}

// append adds a line to the batch. One that is too long would take others of its request with it.
func (w *Writer) append(l []byte) error {
	if len(l) > w.opts.MaxLine {
		w.metrics.rows.WithLabelValues("too_long").Inc()
		return fmt.Errorf("a row of %d bytes is longer than a line may be (%d)", len(l), w.opts.MaxLine)
	}
	if len(w.buf)+len(l) > w.opts.Batch {
		if err := w.cut(); err != nil {
			return err
		}
	}
	w.buf = append(w.buf, l...)
	w.metrics.rows.WithLabelValues("written").Inc()
	return nil
}

// cut puts the batch into the spool.
func (w *Writer) cut() error {
	if len(w.buf) == 0 {
		return nil
	}
	dropped, err := w.spool.add(w.encoder.EncodeAll(w.buf, nil))
	if dropped > 0 {
		w.metrics.batches.WithLabelValues("dropped").Add(float64(dropped))
		w.opts.Logger.Error("the spool is full: the oldest batches were dropped", "batches", dropped)
	}
	w.buf = w.buf[:0]
	if cap(w.buf) > 2*w.opts.Batch {
		w.buf = nil
	}
	return err
}

// Waiting returns how much is in the spool. Nothing means that VictoriaLogs has answered 200 to all.
func (w *Writer) Waiting() (batches int, bytes int64) { return w.spool.held() }
