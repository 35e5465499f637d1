package web

import (
	"errors"
	"fmt"
	"net/http"
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

// outline prints what a page lists, one line for each thing.
func outline(doc *html.Node) string {
	var lines []string
	for _, tab := range find(doc, "nav", "tabs") {
		lines = append(lines, words(tab))
	}
	for _, p := range find(doc, "p", "nothing") {
		lines = append(lines, words(p))
	}
	for _, g := range find(doc, "section", "group") {
		lines = append(lines, "# "+words(find(g, "h2", "")[0]))
		for _, m := range find(g, "p", "muted-by") {
			lines = append(lines, "  "+words(m))
		}
		for d := range g.Descendants() {
			switch {
			case d.Data == "li":
				lines = append(lines, "  "+words(d))
			case d.Data == "summary" && d.Parent.Parent.Data == "section":
				lines = append(lines, "  ▸ "+words(d))
			}
		}
	}
	return strings.Join(lines, "\n")
}

func TestAlertsPageShowsWhatFiresAndWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := get(t, newHandler(t, night(), Options{}), "/")
		require.Equal(t, http.StatusOK, w.Code)
		doc := parse(t, w)
		assert.Equal(t, "2 firing · tocsin", words(find(doc, "title", "")[0]))
		assert.Equal(t, strings.TrimSpace(`
6 All 2 Firing 3 Withheld 1 Pending withheld: 1 by inhibition, 1 by silence, 1 by time interval
# alertname=NodeDown 1 firing → log
  firing critical NodeDown 14 min ago explains 1 w7 does not answer node=w7 why source runbook Goes also to ops
# alertname=NodeDown 1 firing, 1 withheld → ops
  firing critical NodeDown 14 min ago explains 1 w7 does not answer node=w7 why source runbook Goes also to log
  ▸ 1 withheld: 1 by inhibition Inhibited by NodeDown on w7, rule nodes
  inhibition warning PodDown 13 min ago Inhibited by NodeDown on w7, rule nodes pod=cart-1 why
# alertname=DiskFull 1 firing → ops
  firing warning DiskFull 1 d 2 h ago 8 % left why 1 more annotation impact no orders
# alertname=WebDown 1 withheld → ops
  ▸ 1 withheld: 1 by silence Silenced by anna until 2000-01-01 02:00:00 UTC (in 2 h): new kernel Inhibited by 0000000000000001
  silence critical WebDown 1 h ago Silenced by anna until 2000-01-01 02:00:00 UTC (in 2 h): new kernel Inhibited by 0000000000000001 why
# not grouped 1 withheld → mail
  Muted by nights: nobody is told until it ends.
  ▸ 1 withheld: 1 by time interval
  time interval CertExpires <1 min ago Muted by time interval nights why
# Pending not for long enough yet: nobody is told
  pending info Slow 1 min ago why`), outline(doc))
	})
}

func TestAlertsPageNarrows(t *testing.T) {
	for _, tc := range []struct{ name, query, want string }{
		{"to a word in an annotation, whatever its case", "q=ORDERS", `
1 All 1 Firing 0 Withheld 0 Pending
# alertname=DiskFull 1 firing → ops
  firing warning DiskFull 1 d 2 h ago 8 % left why 1 more annotation impact no orders`},
		{"to matchers and words", "q=severity%3D%22warning%22+cart", `
1 All 0 Firing 1 Withheld 0 Pending withheld: 1 by inhibition
# alertname=NodeDown 1 withheld → ops
  ▸ 1 withheld: 1 by inhibition Inhibited by NodeDown on w7, rule nodes
  inhibition warning PodDown 13 min ago Inhibited by NodeDown on w7, rule nodes pod=cart-1 why`},
		{"to a receiver, whose alerts are not yet pending anywhere", "receiver=mail", `
1 All 0 Firing 1 Withheld 0 Pending withheld: 1 by time interval
# not grouped 1 withheld → mail
  Muted by nights: nobody is told until it ends.
  ▸ 1 withheld: 1 by time interval
  time interval CertExpires <1 min ago Muted by time interval nights why`},
		{"to a state", "state=pending", `
6 All 2 Firing 3 Withheld 1 Pending withheld: 1 by inhibition, 1 by silence, 1 by time interval
# Pending not for long enough yet: nobody is told
  pending info Slow 1 min ago why`},
		{"to what fires", "state=firing&q=Down", `
3 All 1 Firing 2 Withheld 0 Pending withheld: 1 by inhibition, 1 by silence
# alertname=NodeDown 1 firing → log
  firing critical NodeDown 14 min ago explains 1 w7 does not answer node=w7 why source runbook Goes also to ops
# alertname=NodeDown 1 firing → ops
  firing critical NodeDown 14 min ago explains 1 w7 does not answer node=w7 why source runbook Goes also to log`},
		{"to nothing", "q=nosuchword", `
0 All 0 Firing 0 Withheld 0 Pending
No alert matches. Clear the search`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := get(t, newHandler(t, night(), Options{}), "/?"+tc.query)
				assert.Equal(t, http.StatusOK, w.Code)
				assert.Equal(t, strings.TrimSpace(tc.want), outline(parse(t, w)))
			})
		})
	}
}

func TestAlertsPageOpensWhatWasAskedFor(t *testing.T) {
	h := newHandler(t, night(), Options{})
	open := func(target string) (n int) {
		for _, d := range find(parse(t, get(t, h, target)), "details", "quiet-rows") {
			for _, a := range d.Attr {
				if a.Key == "open" {
					n++
				}
			}
		}
		return n
	}
	assert.Equal(t, 0, open("/"))
	assert.Equal(t, 3, open("/?state=withheld"))
}

func TestAlertsPageOfNothing(t *testing.T) {
	doc := parse(t, get(t, newHandler(t, &fakeEngine{}, Options{}), "/"))
	assert.Equal(t, "0 All 0 Firing 0 Withheld 0 Pending\nNothing fires.", outline(doc))
	assert.Equal(t, "0 firing · tocsin", words(find(doc, "title", "")[0]))
}

func TestAlertsPageSaysWhatIsWrongWithTheSearch(t *testing.T) {
	w := get(t, newHandler(t, night(), Options{}), "/?q="+url.QueryEscape(`instance=~"("`))
	assert.Equal(t, http.StatusBadRequest, w.Code)
	doc := parse(t, w)
	field := find(doc, "input", "")[0]
	assert.Equal(t, []string{`instance=~"("`, "true", "q-says"}, []string{attr(field, "value"), attr(field, "aria-invalid"), attr(field, "aria-describedby")})
	says := find(doc, "p", "error")
	require.Len(t, says, 1)
	assert.Equal(t, "q-says", attr(says[0], "id"))
	assert.Contains(t, words(says[0]), "missing closing )")
	assert.Equal(t, "The search was not run. Clear the search", outline(doc), "an unread search counts nothing")
}

func TestAlertsPageIsBounded(t *testing.T) {
	e := &fakeEngine{}
	for i := range 90 {
		labels := model.LabelSet{"alertname": "Load", "group": model.LabelValue(fmt.Sprint(i))}
		g := group("ops", labels)
		for k := range 5 {
			l := labels.Clone()
			l["n"] = model.LabelValue(fmt.Sprint(k))
			g.Alerts = append(g.Alerts, firing(l, nil, time.Duration(i)*time.Minute, "ops"))
		}
		e.groups = append(e.groups, g)
	}
	h := newHandler(t, e, Options{})
	seen := map[string]int{}
	target, pages := "/", []string(nil)
	for target != "" {
		doc := parse(t, get(t, h, target))
		for _, r := range find(doc, "li", "row") {
			seen[attr(r, "id")]++
		}
		nav := find(doc, "nav", "paging")
		require.Len(t, nav, 1)
		pages = append(pages, words(nav[0]))
		target = ""
		for _, a := range find(nav[0], "a", "") {
			if attr(a, "rel") == "next" {
				target = "/" + strings.TrimPrefix(attr(a, "href"), "./")
			}
		}
	}
	assert.Equal(t, []string{
		"1 to 200 of 450: narrow the search to see less Next",
		"Previous 201 to 400 of 450: narrow the search to see less Next",
		"Previous 401 to 450 of 450",
	}, pages)
	assert.Len(t, seen, 450, "each alert is on one page")

	last := parse(t, get(t, h, "/?page=99999"))
	assert.Len(t, find(last, "li", "row"), 50, "a page that is no more is the last one")
}

func TestLabelsLeadToASearchForThem(t *testing.T) {
	e := &fakeEngine{groups: []alarm.GroupReading{group("ops", nil, firing(model.LabelSet{"alertname": "X", "quo\"te": `a "b" \ c`, "pod": "p1"}, nil, time.Minute, "ops"))}}
	h := newHandler(t, e, Options{})
	doc := parse(t, get(t, h, "/?q=p1&state=firing"))
	labels := find(doc, "a", "label")
	require.Len(t, labels, 2)
	for _, label := range labels {
		to := attr(label, "href")
		again := parse(t, get(t, h, "/"+strings.TrimPrefix(to, "./")))
		assert.Len(t, find(again, "li", "row"), 1, to)
	}
	u, err := url.Parse(attr(labels[0], "href"))
	require.NoError(t, err)
	assert.Equal(t, url.Values{"q": {`p1 pod="p1"`}, "state": {"firing"}}, u.Query())
}

func TestAlertsPageWhenTheEngineDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := night()
		e.err = errors.New("disk on fire")
		w := get(t, newHandler(t, e, Options{}), "/")
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.Contains(t, w.Body.String(), "This says nothing about whether anything fires.")
		assert.NotContains(t, w.Body.String(), "disk on fire", "it is in the log")

		e = night()
		e.slow = time.Hour
		began := time.Now()
		w = get(t, newHandler(t, e, Options{}), "/")
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.Contains(t, w.Body.String(), "still be reading its state")
		assert.Equal(t, timeout, time.Since(began))
	})
}

func TestViewersShareAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := night()
		e.slow = 50 * time.Millisecond
		h := newHandler(t, e, Options{})
		done := make(chan struct{})
		for range 20 {
			go func() {
				get(t, h, "/")
				done <- struct{}{}
			}()
		}
		for range 20 {
			<-done
		}
		assert.Equal(t, 1, e.reads, "what took 50 ms is good for 500 ms")
		time.Sleep(501 * time.Millisecond)
		get(t, h, "/")
		assert.Equal(t, 2, e.reads)
	})
}

func TestReadingsAreLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := night()
		e.slow = time.Minute
		rs := newReadings(e)
		_, err := rs.take(t.Context())
		require.NoError(t, err)
		time.Sleep(longest - time.Nanosecond)
		synctest.Wait()
		assert.NotNil(t, rs.last.Load())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		assert.Nil(t, rs.last.Load())
	})
}
