package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
)

// A URL is a Sender that asks for one address. The address is a secret.
type URL struct {
	target string
	opts   URLOptions
}

var _ Sender = (*URL)(nil)

// URLOptions configures a URL. The zero value works.
type URLOptions struct {
	// Method defaults to GET.
	Method string

	// Header is sent along, such as an Authorization.
	Header http.Header

	// HTTPClient defaults to one with http.DefaultTransport. Redirects are not followed, and count as
	// success, for the ping was taken by whom it was meant for.
	HTTPClient *http.Client
}

// NewURL returns a sender for an absolute address.
func NewURL(target string, opts URLOptions) (*URL, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("heartbeat: the address must be absolute, as in https://hc.example/ping/abc")
	}
	if opts.Method == "" {
		opts.Method = http.MethodGet
	}
	client := http.Client{}
	if opts.HTTPClient != nil {
		client = *opts.HTTPClient
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	opts.HTTPClient = &client
	return &URL{target: target, opts: opts}, nil
}

// String hides the address.
func (*URL) String() string { return "<secret>" }

// LogValue hides the address.
func (*URL) LogValue() slog.Value { return slog.StringValue("<secret>") }

// Send asks for the address. Any answer below 400 is good.
func (u *URL) Send(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, u.opts.Method, u.target, nil)
	if err != nil {
		return errors.New("make ping: method or address is not valid")
	}
	for name, values := range u.opts.Header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "tocsin")
	resp, err := u.opts.HTTPClient.Do(req)
	if err != nil {
		var named *url.Error
		if errors.As(err, &named) {
			err = named.Err
		}
		return fmt.Errorf("ping: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode >= 400 {
		return fmt.Errorf("ping: answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return nil
}
