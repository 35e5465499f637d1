package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/prometheus/exporter-toolkit/web"
)

// listen opens the listeners first, so that the port is known and nobody else has it.
func listen(f *serveFlags) ([]net.Listener, error) {
	if *f.web.WebSystemdSocket {
		listeners, err := activation.Listeners()
		if err == nil && len(listeners) == 0 {
			err = errors.New("no socket was passed by systemd")
		}
		return listeners, err
	}
	var listeners []net.Listener
	for _, address := range *f.web.WebListenAddresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--web.listen-address: %w", err), closeAll(listeners))
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) error {
	var err error
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}

// drainTimeout is how long requests that are under way at the end may take.
const drainTimeout = 10 * time.Second

// serve begins to answer requests, if that has not begun yet. They are answered, term after term, until
// the process is to end.
func (m *member) serve() {
	m.http.Do(func() {
		go func() {
			defer close(m.drained)
			if err := m.serveHTTP(m.life); err != nil {
				m.fail(err)
			}
		}()
	})
}

// awaitHTTP returns when no request is under way and none will come. Then the listeners are closed.
func (m *member) awaitHTTP() {
	m.http.Do(func() {
		_ = closeAll(m.listeners) // nobody was ever answered
		close(m.drained)
	})
	<-m.drained
}

// serveHTTP answers requests until ctx ends.
func (m *member) serveHTTP(ctx context.Context) error {
	srv := &http.Server{Handler: m.front, ReadHeaderTimeout: 30 * time.Second, ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- web.ServeMultiple(m.listeners, srv, m.flags.web, m.log) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		m.log.Warn("requests were still under way", "err", err)
		_ = srv.Close() // they have had their time
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}
