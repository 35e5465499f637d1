package vlogs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/valyala/fastjson"

	"github.com/tocsin/tocsin/discovery"
)

func targetOf(t *discovery.Target, text []byte) error {
	if len(text) == 0 {
		return nil
	}
	var tt targetText
	if err := json.Unmarshal(text, &tt); err != nil {
		return err
	}
	t.URL, t.Labels, t.Format, t.Expect, t.Workload = tt.URL, tt.Labels, tt.Format, tt.Expect, tt.Workload
	return nil
}

// An identity is what a document is known by.
type identity struct {
	discovery.Key
	hash string
}

// A whole document is put together from its parts.
type whole struct {
	contentType string
	http        int
	at          time.Time // of all parts: others are of an earlier one
	parts       []string
	have        int
}

// Documents sets Raw, ContentType and HTTPStatus of those answers whose document was written in the
// lookback, by key and hash. What is not there is left as it is.
func (r *Reader) Documents(ctx context.Context, of []*discovery.Health) error {
	now := time.Now()
	for from := 0; from < len(of); from += r.opts.Together {
		part := of[from:min(from+r.opts.Together, len(of))]
		found, err := r.documents(ctx, now, part)
		if err != nil {
			return fmt.Errorf("read documents: %w", err)
		}
		for _, h := range part {
			if d := found[identity{h.Target.Key(), h.Hash.String()}]; d != nil && d.have == len(d.parts) {
				h.Raw, h.ContentType, h.HTTPStatus = d.join(), d.contentType, d.http
			}
		}
	}
	return nil
}

func (d *whole) join() []byte {
	size := 0
	for _, p := range d.parts {
		size += len(p)
	}
	raw := make([]byte, 0, size)
	for _, p := range d.parts {
		raw = append(raw, p...)
	}
	return raw
}

// Last returns the last answers with a document that services gave, by their keys, as far as one was written in
// the time of Recall: what they said when they still answered. Of a Health it sets Target's key, At, Hash, Raw,
// ContentType and HTTPStatus.
func (r *Reader) Last(ctx context.Context, of []discovery.Key) (map[discovery.Key]discovery.Health, error) {
	now := time.Now()
	last := map[discovery.Key]discovery.Health{}
	for from := 0; from < len(of); from += r.opts.Together {
		if err := r.lastOf(ctx, now, of[from:min(from+r.opts.Together, len(of))], last); err != nil {
			return nil, fmt.Errorf("read the last documents: %w", err)
		}
	}
	return last, nil
}

func (r *Reader) lastOf(ctx context.Context, now time.Time, of []discovery.Key, to map[discovery.Key]discovery.Health) error {
	clusters, namespaces, services := map[string]bool{}, map[string]bool{}, map[string]bool{}
	wanted := map[discovery.Key]bool{}
	for _, k := range of {
		clusters[k.Cluster], namespaces[k.Namespace], services[k.Service] = true, true, true
		wanted[k] = true
	}
	query := `{kind="doc",cluster in (` + quoted(slices.Sorted(maps.Keys(clusters))) + `),namespace in (` +
		quoted(slices.Sorted(maps.Keys(namespaces))) + `)} service:in(` + quoted(slices.Sorted(maps.Keys(services))) + `)` +
		` | fields _time, cluster, namespace, service, hash, content_type, http, part, parts, doc` +
		` | last 1 by (_time) partition by (cluster, namespace, service, part)`
	found, err := r.wholes(ctx, query, now.Add(-r.opts.Recall), now, func(id identity) bool { return wanted[id.Key] })
	if err != nil {
		return err
	}
	for id, d := range found {
		var hash discovery.Hash
		if d.have < len(d.parts) || hash.UnmarshalText([]byte(id.hash)) != nil || !d.at.After(to[id.Key].At) {
			continue
		}
		to[id.Key] = discovery.Health{
			Target: discovery.Target{Cluster: id.Cluster, Namespace: id.Namespace, Service: id.Service}, At: d.at, Raw: d.join(),
			Report: discovery.Report{Hash: hash, HTTPStatus: d.http}, ContentType: d.contentType,
		}
	}
	return nil
}

func (r *Reader) documents(ctx context.Context, now time.Time, of []*discovery.Health) (map[identity]*whole, error) {
	clusters, namespaces, hashes := map[string]bool{}, map[string]bool{}, map[string]bool{}
	wanted := map[identity]bool{}
	for _, h := range of {
		k := h.Target.Key()
		clusters[k.Cluster], namespaces[k.Namespace], hashes[h.Hash.String()] = true, true, true
		wanted[identity{k, h.Hash.String()}] = true
	}
	query := `{kind="doc",cluster in (` + quoted(slices.Sorted(maps.Keys(clusters))) + `),namespace in (` +
		quoted(slices.Sorted(maps.Keys(namespaces))) + `)} hash:in(` + quoted(slices.Sorted(maps.Keys(hashes))) + `)` +
		` | fields _time, cluster, namespace, service, hash, content_type, http, part, parts, doc` +
		` | last 1 by (_time) partition by (cluster, namespace, service, hash, part)`
	return r.wholes(ctx, query, now.Add(-r.opts.Lookback), now, func(id identity) bool { return wanted[id] })
}

// wholes puts together the documents that a query finds.
func (r *Reader) wholes(ctx context.Context, query string, from, now time.Time, wanted func(identity) bool) (map[identity]*whole, error) {
	found := map[identity]*whole{}
	var parser fastjson.Parser
	err := r.ask(ctx, query, from, now.Add(ahead), func(line []byte) error {
		v, err := parser.ParseBytes(line)
		if err != nil {
			return fmt.Errorf("read %.100q: %w", line, err)
		}
		id := identity{discovery.Key{Cluster: str(v, "cluster"), Namespace: str(v, "namespace"), Service: str(v, "service")}, str(v, "hash")}
		if !wanted(id) {
			return nil
		}
		at, err := time.Parse(time.RFC3339Nano, str(v, "_time"))
		if err != nil {
			return fmt.Errorf("the document of %s: %w", id.Key, err)
		}
		n, parts := int(integer(v, "part", 0)), int(integer(v, "parts", 1))
		if n < 0 || parts < 1 || parts > 10_000 || n >= parts {
			return fmt.Errorf("the document of %s has a part %d of %d", id.Key, n, parts)
		}
		d := found[id]
		switch {
		case d == nil, d.at.Before(at):
			d = &whole{contentType: str(v, "content_type"), http: int(integer(v, "http", 0)), at: at, parts: make([]string, parts)}
			found[id] = d
		case d.at.After(at), parts != len(d.parts):
			return nil // of an earlier one: its last part was lost since, or this one's was
		}
		d.parts[n] = str(v, "doc")
		d.have++
		return nil
	})
	return found, err
}
