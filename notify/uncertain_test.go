package notify

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever breaks off after the connection was made may have reached the remote.
func TestUncertain(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want bool
	}{
		{"refused", fmt.Errorf("%w: 400", ErrRejected), false},
		{"an answer", fmt.Errorf("unexpected status code 503"), false},
		{"no connection", &url.Error{Op: "Post", Err: &net.OpError{Op: "dial", Err: io.EOF}}, false},
		{"reset", &url.Error{Op: "Post", Err: &net.OpError{Op: "read", Err: io.EOF}}, true},
		{"half an answer", &url.Error{Op: "Post", Err: io.ErrUnexpectedEOF}, true},
		{"deadline", fmt.Errorf("post: %w", context.DeadlineExceeded), true},
	} {
		assert.Equal(t, tc.want, uncertain(tc.err), tc.name)
	}
}

func TestUncertainOverTheWire(t *testing.T) {
	silent := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(silent) })
	client := &http.Client{Timeout: 50 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	_, err := client.Post(slow.URL, "text/plain", nil)
	require.Error(t, err)
	assert.True(t, uncertain(err), err)

	gone := httptest.NewServer(nil)
	gone.Close()
	_, err = client.Post(gone.URL, "text/plain", nil)
	require.Error(t, err)
	assert.False(t, uncertain(err), err)
}
