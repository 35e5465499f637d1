package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/tocsin/tocsin/discovery"
)

// A memory is what is kept of a target between cycles.
type memory struct {
	health discovery.Health
	sum    uint64           // of the body, the code and the content type; 0 if there was no answer
	report discovery.Report // of that answer, before it was carried on
}

// bodies are the buffers that bodies are read into.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keepBody = 256 << 10

var errTooLarge = errors.New("the body is too large")

// ask asks one target and fills in its job. It gives up when the cycle ends; if that is sooner than the
// timeout, having no answer yet says nothing.
func (p *Prober) ask(ctx context.Context, j *job, end time.Time) {
	buf := bodies.Get().(*bytes.Buffer)
	buf.Reset()
	at := time.Now()
	timeout := min(p.opts.Timeout, end.Sub(at))
	a, err := p.fetch(ctx, &j.target, buf, timeout)
	latency := time.Since(at)
	if err != nil {
		j.health = p.noAnswer(ctx, &j.target, at.UTC(), a.Status, err)
		if j.health.Latency = latency; j.health.Why == discovery.WhyTimeout && timeout < p.opts.Timeout {
			j.health = notAsked(&j.target, at)
		}
	} else {
		a.At = at
		j.health = p.read(j, a)
		j.health.At, j.health.Latency = at.UTC(), latency
	}
	if j.before != nil {
		j.health = discovery.Carry(&j.before.health, j.health)
	}
	if p.opts.Result != nil {
		h := j.health
		h.Raw, h.ContentType = a.Body, a.ContentType
		p.opts.Result(ctx, h)
	}
	if buf.Cap() <= keepBody {
		bodies.Put(buf)
	}
}

// notAsked is the health of a target for which the cycle had no time.
func notAsked(t *discovery.Target, at time.Time) discovery.Health {
	return discovery.NoAnswer(*t, at.UTC(), discovery.WhyNotAsked, "the cycle had no time for it: its host is slow, or the bounds are narrow")
}

// fetch reads what the endpoint says into buf.
func (p *Prober) fetch(ctx context.Context, t *discovery.Target, buf *bytes.Buffer, timeout time.Duration) (discovery.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL, nil)
	if err != nil {
		return discovery.Answer{}, err
	}
	req.Header.Set("Accept", "application/health+json, application/json;q=0.9, text/plain;q=0.8, */*;q=0.1")
	req.Header.Set("User-Agent", "tocsin")
	for name, values := range p.opts.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return discovery.Answer{}, err
	}
	defer resp.Body.Close()
	a := discovery.Answer{Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Format: t.Format, Expect: t.Expect}
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, p.opts.MaxBody+1))
	switch {
	case err != nil:
		return a, err
	case n > p.opts.MaxBody:
		return a, errTooLarge
	}
	a.Body = buf.Bytes()
	return a, nil
}

// read makes a health of an answer. The same bytes are not parsed again.
func (p *Prober) read(j *job, a discovery.Answer) discovery.Health {
	h := discovery.Health{Target: j.target}
	sum := sumOf(a)
	j.after.sum = sum
	before := j.before
	if before != nil && before.sum == sum && before.health.Target.Format == j.target.Format && slices.Equal(before.health.Target.Expect, j.target.Expect) {
		h.Report = before.report
	} else {
		p.parsing <- struct{}{}
		h.Report = discovery.Parse(a)
		<-p.parsing
	}
	h.Activity = p.opts.Activity.Of(j.target.Labels, a.Body).Or(j.target.Activity)
	j.after.report = h.Report
	return h
}

func sumOf(a discovery.Answer) uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = fmt.Fprintf(&d, "%d %s\n", a.Status, a.ContentType)
	_, _ = d.Write(a.Body)
	return d.Sum64()
}

// noAnswer is the health of a target that gave no answer that can be read.
func (p *Prober) noAnswer(ctx context.Context, t *discovery.Target, at time.Time, status int, err error) discovery.Health {
	why, message := explain(err)
	switch why {
	case discovery.WhyConfiguration, discovery.WhyTooLarge, discovery.WhyTLS: // somebody was there
	default:
		if !p.network.well(ctx) {
			return discovery.NoAnswer(*t, at, discovery.WhyOwnNetwork, "our own network is gone: "+message)
		}
		if trouble := t.Workload.Trouble(); trouble != "" {
			why, message = discovery.WhyNoEndpoint, trouble+": "+message
		}
	}
	h := discovery.NoAnswer(*t, at, why, message)
	h.HTTPStatus = status
	return h
}

// explain sorts an error below HTTP.
func explain(err error) (discovery.Why, string) {
	var (
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		unknown x509.UnknownAuthorityError
		timeout interface{ Timeout() bool }
		op      *url.Error
	)
	message := err.Error()
	if errors.As(err, &op) {
		message = op.Err.Error() // without the URL, which the target has
	}
	switch {
	case errors.Is(err, errTooLarge):
		return discovery.WhyTooLarge, message
	case errors.As(err, &dns):
		return discovery.WhyDNS, message
	case errors.As(err, &cert), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &unknown), errors.Is(err, http.ErrSchemeMismatch):
		return discovery.WhyTLS, message
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return discovery.WhyTimeout, "no answer in time"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return discovery.WhyRefused, message
	case op != nil && op.Op == "parse", errors.As(err, new(*net.AddrError)), op == nil:
		return discovery.WhyConfiguration, message
	}
	return discovery.WhyTransport, message
}
