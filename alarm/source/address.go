package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// An address is where one of the servers of a source answers.
type address struct {
	url     *url.URL
	shown   *url.URL // without credentials and without its query, which may hold some
	secrets []string // what must never be printed
}

func parseAddress(raw string) (*address, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "" {
		return nil, errors.New("an address is not of the form http://host:port/path") // it may hold a password
	}
	a := &address{url: u, shown: &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}}
	if password, ok := u.User.Password(); ok {
		a.secrets = append(a.secrets, password, url.QueryEscape(password), url.PathEscape(password))
	} else if token := u.User.Username(); token != "" {
		a.secrets = append(a.secrets, token, url.QueryEscape(token), url.PathEscape(token))
	}
	for _, values := range u.Query() {
		for _, v := range values {
			a.secrets = append(a.secrets, v, url.QueryEscape(v))
		}
	}
	a.secrets = slices.DeleteFunc(a.secrets, func(s string) bool { return s == "" })
	slices.SortFunc(a.secrets, func(x, y string) int { return len(y) - len(x) }) // the longest first: it may hold another
	return a, nil
}

// redact takes the secrets out of a text.
func (a *address) redact(text string) string {
	for _, secret := range a.secrets {
		text = strings.ReplaceAll(text, secret, "<secret>")
	}
	return text
}

// endpoint is the URL of a path of the API. What the query of the address says comes first.
func (a *address) endpoint(path string, defaults url.Values) string {
	u := a.url.JoinPath(path)
	query := u.Query()
	for name, values := range defaults {
		if !query.Has(name) {
			query[name] = values
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// A question is one GET.
type question struct {
	path    string
	query   url.Values
	maxBody int64

	// read reads the answer, which was given at so late by the server's own clock.
	read func(body io.Reader, at time.Time) error
}

// ask asks one question. Its errors name the address, what is wrong, and how the answer begins.
func (a *address) ask(ctx context.Context, client *http.Client, q question) error {
	if err := a.answer(ctx, client, q); err != nil {
		err = a.clean(err)
		return fmt.Errorf("%s: %w", a.shown.JoinPath(q.path), err)
	}
	return nil
}

func (a *address) answer(ctx context.Context, client *http.Client, q question) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.endpoint(q.path, q.query), http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Cache-Control", "no-cache")
	req.Header.Set("User-Agent", "tocsin")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body := &bounded{r: res.Body, left: q.maxBody}
	if res.StatusCode != http.StatusOK {
		_, _ = io.CopyN(io.Discard, body, keptBytes) // for its beginning; what is wrong is known
		return fmt.Errorf("status %d%s", res.StatusCode, a.beginning(body.head))
	}
	at, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		at = time.Now()
	}
	if err := q.read(body, at.UTC()); err != nil {
		return fmt.Errorf("status 200: %w%s", err, a.beginning(body.head))
	}
	return nil
}

// clean takes out of an error what must not be printed.
func (a *address) clean(err error) error {
	var e *url.Error // it repeats the whole URL
	if errors.As(err, &e) {
		err = e.Err
	}
	if text := err.Error(); a.redact(text) != text {
		return errors.New(a.redact(text))
	}
	return err
}

const (
	// shownBytes is how much of an answer is shown, keptBytes how much is kept for that: a secret is
	// found only if it is there as a whole.
	shownBytes = 200
	keptBytes  = 4 << 10
)

// beginning says how an answer begins.
func (a *address) beginning(head []byte) string {
	if len(head) == 0 {
		return "; it is empty"
	}
	text := a.redact(string(head))
	return fmt.Sprintf("; it begins %q", text[:min(len(text), shownBytes)])
}

// bounded reads an answer up to a limit, and remembers how it began.
type bounded struct {
	r    io.Reader
	left int64
	head []byte
}

var errEndless = errors.New("the answer is longer than allowed")

// Read reads on, and fails where the limit is passed.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errEndless
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if room := keptBytes - len(b.head); room > 0 {
		b.head = append(b.head, p[:min(n, room)]...)
	}
	return n, err
}
