package probe_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/probe"
)

// Who fails, every half minute.
func Example() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"status":"DOWN","checks":[{"name":"db","status":"DOWN"}]}`))
	}))
	defer srv.Close()
	targets := []discovery.Target{{Namespace: "env-42", Service: "orders", URL: srv.URL}}

	p, err := probe.New(func() []discovery.Target { return targets }, probe.Options{Interval: 30 * time.Second})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err = p.Run(ctx, func(_ context.Context, c discovery.Cycle) { // Observe of a discovery.Board, in earnest
		for _, h := range c.Results {
			fmt.Println(h.Target.Service, h.State, h.Message)
		}
		cancel()
	})
	if err != nil {
		panic(err)
	}
	// Output:
	// orders fail db fails
}
