package fleet

import "net/http"

// Control returns a handler by which another process does to the fleet what Fail, Add and Remove do:
//
//	PUT or DELETE /-/failing/<namespace>/<service>    it fails, or no longer; without a service, all of them do
//	PUT or DELETE /-/environments/<namespace>         it is added, or removed
func (f *Fleet) Control() http.Handler {
	mux := http.NewServeMux()
	for method, yes := range map[string]bool{http.MethodPut: true, http.MethodDelete: false} { // the order does not matter to a mux
		mux.HandleFunc(method+" /-/failing/{namespace}/{service...}", func(w http.ResponseWriter, r *http.Request) {
			f.Fail(r.PathValue("namespace"), r.PathValue("service"), yes)
			w.WriteHeader(http.StatusNoContent)
		})
		change := f.Remove
		if yes {
			change = f.Add
		}
		mux.HandleFunc(method+" /-/environments/{namespace}", func(w http.ResponseWriter, r *http.Request) {
			change(r.PathValue("namespace"))
			w.WriteHeader(http.StatusNoContent)
		})
	}
	return mux
}
