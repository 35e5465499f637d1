package web

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/tocsin/tocsin/alarm"
)

func TestNewRefusesWhatCannotWork(t *testing.T) {
	_, err := New(nil, Options{})
	assert.EqualError(t, err, "web: no engine")
	for _, prefix := range []string{"tocsin", "/a/../b", "/a//b", "/{x}", "/a b"} {
		_, err := New(night(), Options{Prefix: prefix})
		assert.Error(t, err, prefix)
	}
	for _, prefix := range []string{"", "/", "/tocsin", "/a/b/"} {
		_, err := New(night(), Options{Prefix: prefix})
		assert.NoError(t, err, prefix)
	}
}

func TestEveryAnswerIsSecured(t *testing.T) {
	h := newHandler(t, night(), Options{})
	for target, want := range map[string]int{
		"/": 200, "/?q=%22": 400, "/alert/zz": 404, "/alert/0000000000000007": 404, "/nothing/here": 404,
		"/dependencies": 200, "/receivers": 404, "/alert/0000000000000007?at=x": 404, "/favicon.ico": 200, "/static/x/tocsin.css": 200, "/static/x/none": 404, "/static/x/..%2f..%2fweb.go": 404,
	} {
		w := get(t, h, target)
		assert.Equal(t, want, w.Code, target)
		for name, value := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
				"img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
			"Referrer-Policy":              "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			assert.Equal(t, value, w.Header().Get(name), "%s of %s", name, target)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("q=x")))
	assert.Equal(t, http.StatusMethodNotAllowed, w.Code, "no page changes anything")
}

// hostile is an engine whose every text is an attack.
func hostile() (*fakeEngine, model.Fingerprint) {
	evil := `"><script>alert(1)</script><img src=x onerror=alert(2)>'` + "\u202egpj\u0000\u001b[31m"
	long := strings.Repeat("x", 10_000)
	r := firing(
		model.LabelSet{"alertname": model.LabelValue(evil), "severity": "javascript:alert(3)", "long": model.LabelValue(long), model.LabelName(evil): "1"},
		model.LabelSet{
			"summary": model.LabelValue(evil), "description": model.LabelValue(long), "runbook_url": "javascript:alert(4)",
			"data": "data:text/html,<script>alert(5)</script>", "rel": "//evil.example/x", "ok_url": "HTTPS://ok.example/<x>\"onclick=alert(6)",
			"style": "</style><style>*{display:none}", "long": model.LabelValue(long),
		}, time.Minute, evil, "other")
	r.Alert.GeneratorURL = "vbscript:alert(7)"
	r.Alert.Reports = []alarm.Report{{Source: evil, StartsAt: now}}
	cause := firing(model.LabelSet{"alertname": model.LabelValue(evil), "instance": model.LabelValue(evil + long)}, nil, time.Hour, evil)
	cause.Alert.RaisedBy = evil
	gone := "00000000000000aa"
	r = withheld(r,
		alarm.Suppression{Reason: alarm.ReasonSilence, By: "s"}, alarm.Suppression{Reason: alarm.Reason(evil), By: evil, Rule: evil, Note: evil},
		alarm.Suppression{Reason: alarm.ReasonDependency, By: cause.Alert.Fingerprint().String(), Root: gone, Rule: evil + long, Note: evil},
		alarm.Suppression{Reason: alarm.ReasonRollup, By: gone, Rule: evil, Note: evil})
	g := group(evil, model.LabelSet{"alertname": model.LabelValue(evil), "x": model.LabelValue(long)}, r, cause)
	g.Group.Team = evil
	g.MutedBy = []string{evil}
	g.Group.Path = []string{evil}
	fp := r.Alert.Fingerprint()
	return &fakeEngine{
		groups:   []alarm.GroupReading{g},
		silences: []*alarm.Silence{{ID: "s", CreatedBy: evil, Comment: evil + long, EndsAt: now.Add(time.Hour)}},
		sources:  []alarm.SourceStatus{{Name: evil, Stale: true, Err: errors.New(evil + long)}},
		explanations: map[model.Fingerprint]*alarm.Explanation{fp: {
			Reading: r,
			Groups: []alarm.GroupExplanation{{
				Group: g.Group, MutedBy: g.MutedBy, ToldAlert: []string{evil},
				Told: []alarm.Told{{Key: alarm.IntentionKey{Integration: evil}, At: now}},
				Open: []alarm.Intention{{Key: alarm.IntentionKey{Integration: evil}, Reason: alarm.NotifyReason(evil)}},
			}},
			History: []alarm.Record{
				{At: now, Kind: evil, Source: evil, Receiver: evil, Body: []byte(evil)},
				{At: now, Kind: "delivered", Receiver: evil, Integration: evil, Body: []byte(`{"reason":"<script>alert(8)</script>","` + "\u202e" + `":{"a":["<b>"]}}`)},
			},
		}},
	}, fp
}

// Whatever a label holds, a page holds no script, style or handler but its own, and no link but to
// http, https or the pages themselves.
func TestHostileTextStaysText(t *testing.T) {
	e, fp := hostile()
	evil := `<script>alert(9)</script>`
	e.past = e.explanations
	h := newHandler(t, e, Options{
		Version: evil, ExternalURL: &url.URL{Host: evil}, Problems: func() []string { return []string{evil} },
		Teams: crew{evil: evil}, Receivers: hostileReceivers(evil, fp),
	})
	for _, target := range []string{
		"/", "/?state=withheld", "/?team=" + url.QueryEscape(evil), "/?cause=00000000000000aa", "/dependencies", "/receivers", "/receivers?done=" + url.QueryEscape(evil),
		"/alert/" + fp.String() + "?at=" + url.QueryEscape(evil), "/alert/" + fp.String() + "?at=1999-12-31T00:00Z", "/alert/" + fp.String(), "/?q=" + url.QueryEscape(evil), "/?q=%22" + url.QueryEscape(evil), "/?receiver=" + url.QueryEscape(`"><script>`), "/" + url.PathEscape(evil),
	} {
		w := get(t, h, target)
		assert.Less(t, w.Body.Len(), 200_000, target)
		for d := range parse(t, w).Descendants() {
			if d.Type == html.TextNode {
				assert.False(t, strings.ContainsAny(d.Data, "\u202e\u0000\u001b"), "%q in %s", d.Data, target)
			}
			if d.Type != html.ElementNode {
				continue
			}
			assert.NotContains(t, []string{"style", "iframe", "object", "embed", "base", "img"}, d.Data, target)
			if d.Data == "script" {
				assert.Equal(t, "module", attr(d, "type"))
				assert.Nil(t, d.FirstChild, "inline script in %s", target)
			}
			for _, a := range d.Attr {
				assert.False(t, strings.HasPrefix(a.Key, "on") || a.Key == "style", "%s=%q in %s", a.Key, a.Val, target)
				if a.Key == "href" || a.Key == "src" || a.Key == "action" {
					u, err := url.Parse(a.Val)
					require.NoError(t, err, a.Val)
					own := u.Scheme == "" && u.Host == ""
					assert.True(t, own || u.Host == "ok.example", "%s=%q in %s", a.Key, a.Val, target)
				}
				if a.Key == "target" {
					assert.Equal(t, "noopener noreferrer", attr(d, "rel"))
				}
			}
		}
	}
	assert.Contains(t, words(parse(t, get(t, h, "/"))), `\u202egpj\u0000\u001b[31m`, "what turns the text around is shown as its code")
}

// reach follows a relative address as a browser does.
func reach(t *testing.T, from, to string) string {
	base, err := url.Parse(from)
	require.NoError(t, err)
	u, err := base.Parse(to)
	require.NoError(t, err)
	return u.RequestURI()
}

func TestAddressesHoldUnderAnyPrefix(t *testing.T) {
	for _, prefix := range []string{"", "/tocsin", "/a/b"} {
		e := night()
		fp := e.groups[1].Alerts[0].Alert.Fingerprint()
		e.explanations = map[model.Fingerprint]*alarm.Explanation{fp: {Reading: e.groups[1].Alerts[0]}}
		h := newHandler(t, e, Options{Prefix: prefix, Receivers: &fakeReceivers{specs: twoReceivers().specs}})
		for _, page := range []string{"/", "/?q=Disk", "/alert/" + fp.String(), "/dependencies", "/receivers", "/deep/er/nothing"} {
			doc := parse(t, get(t, h, prefix+page))
			links := map[string]int{}
			for d := range doc.Descendants() {
				for _, a := range d.Attr {
					if (a.Key == "href" || a.Key == "src" || a.Key == "action") && !strings.HasPrefix(a.Val, "http") && !strings.HasPrefix(a.Val, "#") {
						to := reach(t, prefix+page, a.Val)
						links[to] = get(t, h, to).Code
					}
				}
			}
			assert.GreaterOrEqual(t, len(links), 4, "brand, icon, style and script of %s", prefix+page)
			for to, code := range links {
				if !strings.Contains(to, "/alert/") || strings.Contains(to, fp.String()) {
					assert.Equal(t, http.StatusOK, code, "%s from %s", to, prefix+page)
				}
			}
		}
		if prefix != "" {
			w := get(t, h, prefix)
			assert.Equal(t, http.StatusFound, w.Code)
			assert.Equal(t, prefix+"/", reach(t, prefix, w.Header().Get("Location")))
			assert.Equal(t, http.StatusNotFound, get(t, h, "/").Code, "nothing lies outside the prefix")
		}
	}
}

func TestAssetsAreKeptForAsLongAsTheyAreTrue(t *testing.T) {
	h := newHandler(t, night(), Options{})
	doc := parse(t, get(t, h, "/"))
	for _, d := range append(find(doc, "script", ""), find(doc, "link", "")...) {
		target := strings.TrimPrefix(attr(d, "src")+attr(d, "href"), ".")
		w := get(t, h, target)
		assert.Equal(t, "public, max-age=31536000, immutable", w.Header().Get("Cache-Control"), target)
		old := get(t, h, "/static/0123456789abcdef/"+target[strings.LastIndex(target, "/")+1:])
		assert.Equal(t, "no-cache", old.Header().Get("Cache-Control"), "a page of another build must not keep what is not its own")
		assert.Equal(t, w.Body.String(), old.Body.String())
	}
	for name, want := range map[string]string{"tocsin.css": "text/css; charset=utf-8", "live.js": "text/javascript; charset=utf-8", "bell.svg": "image/svg+xml"} {
		assert.Equal(t, want, get(t, h, "/static/x/"+name).Header().Get("Content-Type"))
	}
}

func TestAPageThatDidNotChangeIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := night()
		h := newHandler(t, e, Options{})
		time.Sleep(time.Second) // a whole minute is over at the very beginning
		first := get(t, h, "/")
		tag := first.Header().Get("ETag")
		require.NotEmpty(t, tag)

		time.Sleep(5 * time.Second)
		again := get(t, h, "/", "If-None-Match", tag)
		assert.Equal(t, http.StatusNotModified, again.Code, "ages are printed to the minute")
		assert.Empty(t, again.Body.String())

		e.groups = e.groups[1:]
		assert.Equal(t, http.StatusOK, get(t, h, "/", "If-None-Match", tag).Code)
	})
}

func TestPagesAreCompressed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, night(), Options{})
		w := get(t, h, "/", "Accept-Encoding", "gzip, br")
		require.Equal(t, "gzip", w.Header().Get("Content-Encoding"))
		r, err := gzip.NewReader(w.Body)
		require.NoError(t, err)
		body, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Equal(t, get(t, h, "/").Body.String(), string(body))
	})
}

func TestProblemsAreOnEveryPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := night()
		e.sources = []alarm.SourceStatus{
			{Name: "fresh", LastSuccess: now},
			{Name: "gen2", Stale: true, LastSuccess: now.Add(-7 * time.Minute), Err: errors.New("connection refused")},
			{Name: "new", Stale: true},
		}
		h := newHandler(t, e, Options{Problems: func() []string { return []string{"tocsin.yml:3: no receiver"} }})
		for _, target := range []string{"/", "/nothing"} {
			var said []string
			for _, p := range find(parse(t, get(t, h, target)), "p", "problem") {
				said = append(said, words(p))
			}
			assert.Equal(t, []string{
				"Problem tocsin.yml:3: no receiver",
				"Problem Source gen2 is stale: last read 7 min ago. Its alerts are held as they were. connection refused",
				"Problem Source new is stale: not read since the start. Its alerts are held as they were.",
			}, said, target)
		}
	})
}

func TestPagesSayWhichServerTheyAreOf(t *testing.T) {
	h := newHandler(t, night(), Options{Version: "1.2.3", ExternalURL: &url.URL{Scheme: "https", Host: "mon.example", Path: "/x"}})
	doc := parse(t, get(t, h, "/"))
	assert.Equal(t, "2 firing · tocsin mon.example", words(find(doc, "title", "")[0]))
	assert.Equal(t, "tocsin 1.2.3", words(find(doc, "footer", "")[0]))
}
