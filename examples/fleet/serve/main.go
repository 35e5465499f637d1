// Command serve serves a simulated fleet of health endpoints until it is interrupted.
//
//	go run ./examples/fleet/serve --environments=350 --services=12
//	curl http://127.0.0.1:8095/env-0000/orders/health
//	curl -X PUT http://127.0.0.1:8095/-/failing/env-0000/orders
//	curl --proxy http://127.0.0.1:8095 http://orders.env-0000.svc:8080/health
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/tocsin/tocsin/examples/fleet"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8095", "where to listen")
	environments := flag.Int("environments", 350, "how many environments")
	services := flag.Int("services", 12, "how many services in each of them")
	largest := flag.Int("largest", 170<<10, "how many bytes the largest document of each environment has")
	seed := flag.Uint64("seed", 0, "another seed, another fleet")
	calm := flag.Bool("calm", false, "nothing fails")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	f := fleet.New(fleet.Options{Environments: *environments, Services: *services, Largest: *largest, Seed: *seed, Calm: *calm})
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		fmt.Fprintln(os.Stderr, "listen:", err)
		os.Exit(1)
	}
	fmt.Printf("%d services, such as http://%s/env-0000/%s/health\n", *environments**services, l.Addr(), f.Services()[0])
	control := f.Control()
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/-/") {
			control.ServeHTTP(w, r)
			return
		}
		f.ServeHTTP(w, r)
	})}
	closing := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer closing()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}
