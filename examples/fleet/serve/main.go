// Command serve serves a simulated fleet of health endpoints until it is interrupted.
//
//	go run ./examples/fleet/serve --environments=350 --services=12
//	curl http://127.0.0.1:8095/env-0000/orders/health
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tocsin/tocsin/examples/fleet"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8095", "where to listen")
	environments := flag.Int("environments", 350, "how many environments")
	services := flag.Int("services", 12, "how many services in each of them")
	seed := flag.Uint64("seed", 0, "another seed, another fleet")
	calm := flag.Bool("calm", false, "nothing fails")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	f := fleet.New(fleet.Options{Environments: *environments, Services: *services, Seed: *seed, Calm: *calm})
	fmt.Printf("%d services, such as http://%s/env-0000/%s/health\n", *environments**services, *listen, f.Services()[0])
	srv := &http.Server{Addr: *listen, Handler: f, ReadHeaderTimeout: 5 * time.Second}
	closing := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer closing()
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}
