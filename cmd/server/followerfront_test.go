package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A leader whose lease has ended, or whose store is not well, says nothing of what may not be so: not when it
// is asked, and not if that came about while it thought.
func TestALeaderAnswersUnderItsLease(t *testing.T) {
	f := newFront(slog.New(slog.DiscardHandler))
	defer f.forward.CloseIdleConnections()
	trouble := errors.New("the store cannot be written")
	for name, tt := range map[string]struct {
		method, path  string
		before, after error
		code          int
		says          string
		asked         []bool
	}{
		"all is well":                 {http.MethodPost, "/", nil, nil, http.StatusOK, "done", nil},
		"all is well, and it refuses": {http.MethodPost, "/gone", nil, nil, http.StatusNotFound, "no such silence\n", []bool{true}},
		"its lease has ended":         {http.MethodPost, "/", errBarred, errBarred, http.StatusServiceUnavailable, errBarred.Error() + ": try again\n", nil},
		"it ends meanwhile":           {http.MethodPost, "/", nil, errBarred, http.StatusServiceUnavailable, errBarred.Error() + ": try again\n", nil},
		"the store is not well":       {http.MethodDelete, "/gone", nil, trouble, http.StatusServiceUnavailable, trouble.Error() + ": try again\n", nil},
		"it has failed anyway":        {http.MethodPost, "/broken", nil, trouble, http.StatusInternalServerError, "disk full\n", nil},
		"a push is wrong":             {http.MethodPost, "/api/v2/alerts", nil, nil, http.StatusBadRequest, "no JSON\n", []bool{false}},
		"who reads is answered":       {http.MethodGet, "/", errBarred, errBarred, http.StatusOK, "done", nil},
		"a reload concerns it alone":  {http.MethodPost, "/-/reload", errBarred, errBarred, http.StatusOK, "done", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []bool
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/gone":
					http.Error(w, "no such silence", http.StatusNotFound)
				case "/api/v2/alerts":
					http.Error(w, "no JSON", http.StatusBadRequest)
				case "/broken":
					http.Error(w, "disk full", http.StatusInternalServerError)
				default:
					_, _ = io.WriteString(w, "done")
				}
			})
			f.show(&term{handler: handler, leads: true, barred: func() error { return tt.before }, certain: func(_ context.Context, no bool) error {
				asked = append(asked, no)
				return tt.after
			}})
			w := httptest.NewRecorder()
			f.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
			assert.Equal(t, tt.code, w.Code)
			if tt.asked != nil {
				assert.Equal(t, tt.asked, asked, "whether it is a no that depends on what is in memory")
			}
			assert.Equal(t, tt.says, w.Body.String())
			assert.Equal(t, tt.code == http.StatusServiceUnavailable, w.Header().Get("Retry-After") == retryAfter)
		})
	}
}
