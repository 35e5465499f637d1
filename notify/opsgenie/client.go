package opsgenie

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tocsin/tocsin/notify"
)

// A Client keeps incidents at Opsgenie or JSM Operations. Its methods may be called concurrently,
// but for deliveries of the same key, which must come one after the other.
type Client struct {
	key       secret
	opts      Options
	dialect   dialect
	templates contentTemplates
	http      *http.Client

	mu       sync.Mutex // guards what follows
	progress map[string]progress
}

var (
	_ notify.Receiver = (*Client)(nil)
	_ notify.Remote   = (*Client)(nil)
)

// New returns a client for the API integration with this key. It sends nothing.
func New(key string, opts Options) (*Client, error) {
	opts = opts.withDefaults()
	if err := opts.validate(key); err != nil {
		return nil, fmt.Errorf("opsgenie: %w", err)
	}
	templates, err := opts.Content.parse()
	if err != nil {
		return nil, fmt.Errorf("opsgenie: templates: %w", err)
	}
	c := &Client{key: secret(key), opts: opts, dialect: genie{}, templates: templates, progress: map[string]progress{}}
	if opts.Backend == JiraServiceManagement {
		c.dialect = jsm{ops: opts.operations()}
	}
	h := *opts.HTTPClient // a redirected POST would become a GET, and a key would go elsewhere
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &h
	return c, nil
}

// maxBody bounds what is read of an answer. A page of 100 incidents is far below.
const maxBody = 16 << 20

// An answer is a success.
type answer struct {
	header http.Header
	body   []byte
}

// do sends a call when the account's rate allows it. Every answer but a success is an error, classed
// as [notify.Receiver] wants it. An answer that breaks off is an error whatever its status was.
func (c *Client) do(ctx context.Context, k call) (answer, error) {
	if err := c.opts.Account.wait(ctx, k.domain); err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout) // a delivery may have a day
	defer cancel()
	req, err := c.request(ctx, k)
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", notify.ErrRejected, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: read answer: %w", k.method, route(k.path), err)
	}
	now := time.Now()
	if resp.Header.Get("X-RateLimit-State") == "THROTTLED" || resp.StatusCode == http.StatusTooManyRequests {
		after, _ := retryAfter(resp.Header, now)
		c.opts.Account.pause(k.domain, after)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		err := fmt.Errorf("%s %s: %w", k.method, route(k.path), classify(resp.StatusCode, resp.Header, body, now))
		if resp.StatusCode == http.StatusNotFound && resp.Header.Get("X-Opsgenie-Errortype") == "RequestNotProcessed" {
			err = errNotProcessed
		}
		return answer{header: resp.Header}, err
	}
	return answer{header: resp.Header, body: body}, nil
}

func (c *Client) request(ctx context.Context, k call) (*http.Request, error) {
	base := c.opts.URL
	if k.ops {
		base = c.opts.Operations.URL + "/" + url.PathEscape(c.opts.Operations.CloudID)
	}
	var body io.Reader
	if k.body != nil {
		b, err := json.Marshal(k.body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	target := base + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, body)
	if err != nil {
		return nil, err
	}
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "tocsin")
	switch {
	case !k.ops:
		req.Header.Set("Authorization", "GenieKey "+string(c.key))
	case c.opts.Operations.Email == "":
		req.Header.Set("Authorization", "Bearer "+c.opts.Operations.Token)
	default:
		req.SetBasicAuth(c.opts.Operations.Email, c.opts.Operations.Token)
	}
	return req, nil
}

// decode reads a JSON answer. One that is no JSON comes from something in between: it is retried.
func (a answer) decode(into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("answer of %d bytes: %w", len(a.body), err)
	}
	return nil
}

// withoutURL drops the address from an error of package net/http: it is long, and repeats itself.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return fmt.Errorf("%s: %w", strings.ToUpper(u.Op), u.Err)
	}
	return err
}

// route is a path without what identifies an incident, so that errors of a kind read alike.
func route(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if i > 2 && len(part) > 24 {
			parts[i] = "{id}"
		}
	}
	return strings.Join(parts, "/")
}

func commaList(items []string) string { return strings.Join(items, ",") }
