package server

import (
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/time/rate"
)

// How many hints are taken in a second, and how many at once. Anybody can send one, and each may make us ask
// the service: what is refused here, the next reconciliation finds.
const (
	hintsPerSecond = 10
	hintsBurst     = 200
)

// serveRemoteHook takes what a webhook of the service says about an incident of a receiver. It is a hint and no
// more: what is so is read from the service. What is too large or no such payload is refused.
func serveRemoteHook(remotes func() []remote, hint func(alias string)) http.Handler {
	bucket := rate.NewLimiter(hintsPerSecond, hintsBurst)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("receiver")
		all := remotes()
		n := slices.IndexFunc(all, func(rem remote) bool { return rem.receiver == name })
		switch {
		case n < 0:
			http.Error(w, fmt.Sprintf("no receiver %q with opsgenie: below tocsin.receivers", name), http.StatusNotFound)
		case !bucket.Allow():
			w.Header().Set("Retry-After", "60")
			http.Error(w, "too many hints: what happened is found by the next reconciliation", http.StatusTooManyRequests)
		default:
			all[n].client.Webhook(hint).ServeHTTP(w, r)
		}
	})
}
