package apiv2_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm/apiv2"
)

// A step is one request. ${0} stands for the first ID of a silence that was answered, and so on.
type step struct {
	method, target, contentType, body string
}

const (
	js   = "application/json"
	from = `"startsAt":"1999-12-31T23:00:00Z","endsAt":"2000-01-01T10:00:00Z"`
	who  = `"createdBy":"me <&>","comment":"c \u2028 é"`
)

var steps = []step{
	// Bodies that are refused as a whole.
	{"POST", "/api/v2/alerts", js, ``},
	{"POST", "/api/v2/alerts", js, ` `},
	{"POST", "/api/v2/alerts", js, `{}`},
	{"POST", "/api/v2/alerts", js, `[{"labels":{"a":"b"}`},
	{"POST", "/api/v2/alerts", js, `[{"labels":{"a":1}}]`},
	{"POST", "/api/v2/alerts", js, `[{"labels":{"a":"b"},"startsAt":"x"}]`},
	{"POST", "/api/v2/alerts", js, `[{"labels":null}]`},
	{"POST", "/api/v2/alerts", js, `[{"labels":{"a":"b"}},{}]`},
	{"POST", "/api/v2/alerts", js, `[{"labels":{"a":"b"},"generatorURL":"no <uri>"}]`},
	{"POST", "/api/v2/alerts", js, `[{"labels":{"a":"b"},"generatorURL":"no <uri>"},{}]`},
	{"POST", "/api/v2/alerts", js, "\x1f\x8b"},
	{"POST", "/api/v2/alerts", "text/plain", `[]`},
	{"POST", "/api/v2/alerts", "", `[]`},
	{"POST", "/api/v2/alerts", "application/json;;;", `[]`},
	// Bodies that are not.
	{"POST", "/api/v2/alerts", "Application/JSON; charset=utf-8", `[]`},
	{"POST", "/api/v2/alerts", js, `null`},
	{"POST", "/api/v2/alerts", js, `[{"labels":{}}]`},
	{"POST", "/api/v2/alerts", js, `[{"labels":{"alertname":"Ended"},"endsAt":"1999-01-01T00:00:00Z"}]`},
	{"POST", "/api/v2/alerts", js, `[{"labels":{"":"b"}},{"labels":{"a":"b"},"annotations":{"":"x"}},
		{"labels":{"alertname":"Good","team":"orders","cluster":"c<1>","severity":"critical","job":"j"},"annotations":{"s":"<a&b>\u2028 é \u0001\u007f\ud800\\","e":""},"generatorURL":"http://x/?a=1&b=2"},
		{"labels":{"a":"b"},"startsAt":"2030-01-01T00:00:00Z","endsAt":"2029-01-01T00:00:00Z"}]`},
	{"POST", "/api/v2/alerts", js, `[
		{"labels":{"alertname":"W","team":"orders","cluster":"c<1>","severity":"warning","instance":"b","empty":""},"startsAt":"1999-12-31T22:00:00.123456789Z","endsAt":"2000-01-01T03:00:00.999999Z"},
		{"labels":{"alertname":"W","team":"orders","cluster":"c<1>","severity":"warning","instance":"a"}},
		{"labels":{"alertname":"W","team":"orders","cluster":"c<1>","severity":"info","job":"j"}},
		{"labels":{"alertname":"W","team":"orders","cluster":"c<1>","severity":"info","more":"labels"}},
		{"labels":{"alertname":"W","team":"night"}},{"labels":{"alertname":"Ω","a":null}},{"labels":{"alertname":"W","x":"y"}},{"labels":{"alertname":"W","x":"z"}}] and more`},
	// Reading.
	{"GET", "/api/v2/alerts", "", ``},
	{"GET", "/api/v2/alerts/", "", ``},
	{"GET", "/api/v2/alerts?active=maybe", "", ``},
	{"GET", "/api/v2/alerts?active=&inhibited=off", "", ``},
	{"GET", "/api/v2/alerts?filter=alertname%3DW&filter=x%3D~%22y%7Cz%22", "", ``},
	{"GET", "/api/v2/alerts?filter=team%3D%22%22", "", ``},
	{"GET", "/api/v2/alerts?filter=team!%3D%22%22", "", ``},
	{"GET", "/api/v2/alerts?filter=!", "", ``},
	{"GET", "/api/v2/alerts?filter=<", "", ``},
	{"GET", "/api/v2/alerts?receiver=n.*t", "", ``},
	{"GET", "/api/v2/alerts?receiver=nigh", "", ``},
	{"GET", "/api/v2/alerts?receiver=(", "", ``},
	{"GET", "/api/v2/alerts?receiver_matchers=(", "", ``},
	{"GET", "/api/v2/alerts?receiver_matchers=owner%3D~%22shop.*%22&receiver=night", "", ``},
	{"GET", "/api/v2/alerts?receiver_matchers=tier%3D%22%22", "", ``},
	{"GET", "/api/v2/alerts?receiver_matchers=tier!%3D%22%22", "", ``},
	{"GET", "/api/v2/alerts/groups", "", ``},
	{"GET", "/api/v2/alerts/groups?muted=false", "", ``},
	{"GET", "/api/v2/alerts/groups?active=false", "", ``},
	{"GET", "/api/v2/alerts/groups?inhibited=false", "", ``},
	{"GET", "/api/v2/alerts/groups?receiver=night", "", ``},
	{"GET", "/api/v2/alerts/groups?receiver_matchers=owner%3D~%22shop.*%22&receiver=night", "", ``},
	{"GET", "/api/v2/alerts/groups?receiver_matchers=owner%3D~%22shop.*%22&receiver=orders%7Cnight", "", ``},
	{"GET", "/api/v2/alerts/groups?filter=severity%3Dinfo", "", ``},
	{"GET", "/api/v2/alerts/groups?filter=!", "", ``},
	{"GET", "/api/v2/alerts/groups?receiver=(", "", ``},
	{"GET", "/api/v2/receivers", "", ``},
	{"GET", "/api/v2/receivers?receiver_matchers=owner%3D~%22shop.*%22", "", ``},
	{"GET", "/api/v2/receivers?receiver_matchers=%25", "", ``},
	// Silences.
	{"GET", "/api/v2/silences", "", ``},
	{"GET", "/api/v2/silence/abc", "", ``},
	{"DELETE", "/api/v2/silence/abc", "", ``},
	{"GET", "/api/v2/silence/a/b", "", ``},
	{"GET", "/api/v2/silence/0f9e3b1c-0000-4000-8000-000000000000", "", ``},
	{"DELETE", "/api/v2/silence/0f9e3b1c-0000-4000-8000-000000000000", "", ``},
	{"POST", "/api/v2/silences", js, ``},
	{"POST", "/api/v2/silences", js, `null`},
	{"POST", "/api/v2/silences", js, `{}`},
	{"POST", "/api/v2/silences", js, `[]`},
	{"POST", "/api/v2/silences", "text/plain", `{}`},
	{"POST", "/api/v2/silences", js, `{"comment":""}`},
	{"POST", "/api/v2/silences", js, `{"comment":"","createdBy":""}`},
	{"POST", "/api/v2/silences", js, `{"comment":"","createdBy":"","endsAt":"2000-01-01T10:00:00Z"}`},
	{"POST", "/api/v2/silences", js, `{"comment":"","createdBy":"","endsAt":"2000-01-01T10:00:00Z","matchers":[{"name":"a","value":"b","isRegex":false}]}`},
	{"POST", "/api/v2/silences", js, `{"matchers":[],` + from + `,` + who + `}`},
	{"POST", "/api/v2/silences", js, `{"matchers":[{"name":"a","value":"b"}],` + from + `,` + who + `}`},
	{"POST", "/api/v2/silences", js, `{"matchers":[{"isRegex":true,"value":"b"}],` + from + `,` + who + `}`},
	{"POST", "/api/v2/silences", js, `{"matchers":[{"isRegex":true,"name":"b"}],` + from + `,` + who + `}`},
	{"POST", "/api/v2/silences", js, `{"matchers":[{"name":"a","value":"(","isRegex":true}],` + from + `,` + who + `}`},
	{"POST", "/api/v2/silences", js, `{"matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":"1998-01-01T00:00:00Z","endsAt":"1999-01-01T00:00:00Z",` + who + `}`},
	{"POST", "/api/v2/silences", js, `{"matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":"2001-01-01T00:00:00Z","endsAt":"2000-06-01T00:00:00Z",` + who + `}`},
	{"POST", "/api/v2/silences", js, `{"matchers":[{"name":"a","value":"b","isRegex":false}],"startsAt":"0001-01-01T00:00:00Z","endsAt":"2000-06-01",` + who + `}`},
	{"POST", "/api/v2/silences", js, `{"id":"x","matchers":[{"name":"a","value":"b","isRegex":false}],` + from + `,` + who + `}`},
	{"POST", "/api/v2/silences", js, `{"matchers":[{"name":"alertname","value":"Good","isRegex":false}],` + from + `,` + who + `,"annotations":{"z":"<1>","a":"2"}}`},
	{"POST", "/api/v2/silences", js, `{"matchers":[{"name":"alertname","value":"Go<o>d|W","isRegex":true,"isEqual":true},{"name":"x","value":"y","isRegex":false,"isEqual":false}],"startsAt":"2000-01-01T05:00:00Z","endsAt":"2000-01-01T06:00:00Z","createdBy":"","comment":""}`},
	{"POST", "/api/v2/silences", js, `{"matchers":[{"name":"severity","value":"info|x","isRegex":true}],"startsAt":"2000-01-01T00:00:00Z","endsAt":"2000-01-01T02:00:00Z","createdBy":"","comment":""}`},
	{"POST", "/api/v2/silences", js, `{"matchers":[{"name":"job","value":"j","isRegex":true}],` + from + `,` + who + `}`},
	{"GET", "/api/v2/silences", "", ``},
	{"GET", "/api/v2/silences?filter=alertname%3DGood", "", ``},
	{"GET", "/api/v2/silences?filter=alertname%3D~Good", "", ``},
	{"GET", "/api/v2/silences?filter=!", "", ``},
	{"GET", "/api/v2/silences?active=false", "", ``},
	{"GET", "/api/v2/silences?pending=false", "", ``},
	{"GET", "/api/v2/silences?active=no&pending=no&expired=no", "", ``},
	{"GET", "/api/v2/silence/${2}", "", ``},
	{"GET", "/api/v2/alerts?active=false", "", ``},
	{"GET", "/api/v2/alerts?silenced=false", "", ``},
	{"GET", "/api/v2/alerts/groups?silenced=false", "", ``},
	{"DELETE", "/api/v2/silence/${2}", "", ``},
	{"DELETE", "/api/v2/silence/${2}", "", ``},
	{"GET", "/api/v2/silences?active=false&pending=false", "", ``},
	{"GET", "/api/v2/silences", "", ``},
	{"GET", "/api/v2/alerts?filter=severity%3Dinfo", "", ``},
	// What is not there.
	{"GET", "/api/v2/foo", "", ``},
	{"GET", "/api/v2/f%2Fo%3C", "", ``},
	{"PUT", "/api/v2/alerts", js, `[]`},
	{"OPTIONS", "/api/v2/alerts", "", ``},
	{"HEAD", "/api/v2/alerts", "", ``},
	{"POST", "/api/v2/status", js, `{}`},
	{"GET", "/api/v1/alerts", "", ``},
	{"POST", "/api/v1/alerts", js, `[]`},
	{"DELETE", "/api/v1/silence/1", "", ``},
	{"PUT", "/api/v1/nothing", "", ``},
}

// TestTwin sends the same requests to Alertmanager's own handlers and to ours, and wants the same
// answers to the byte.
func TestTwin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tw := newTwin(t)
		defer tw.stop()
		ours := newAPI(t, newFake(t), apiv2.Options{})
		var theirIDs, ourIDs []string
		for _, s := range steps {
			theirs := ask(tw, s, &theirIDs)
			synctest.Wait()
			assert.Equal(t, theirs, ask(ours, s, &ourIDs), "%s %s %s", s.method, s.target, s.body)
			time.Sleep(time.Second) // not to be confused about which time is printed
		}
		require.Len(t, ourIDs, 5)
	})
}

// An answer is what is compared of a response.
type answer struct {
	Status       int
	Body         string
	ContentType  string
	CacheControl string
	Allow        []string
}

var (
	idAnswered = regexp.MustCompile(`"silenceID":"([^"]+)"`)
	parserSaid = regexp.MustCompile(`(failed, because ).*"}`)
)

func ask(h http.Handler, s step, ids *[]string) answer {
	var old []string
	for i, id := range *ids {
		old = append(old, "${"+string(rune('0'+i))+"}", id)
	}
	w := do(h, s.method, strings.NewReplacer(old...).Replace(s.target), s.contentType, s.body)
	if m := idAnswered.FindStringSubmatch(w.Body.String()); m != nil {
		*ids = append(*ids, m[1])
	}
	return answerOf(w, *ids)
}

func answerOf(w *httptest.ResponseRecorder, ids []string) answer {
	a := answer{
		Status:       w.Code,
		Body:         w.Body.String(),
		ContentType:  w.Header().Get("Content-Type"),
		CacheControl: w.Header().Get("Cache-Control"),
	}
	for i, id := range ids {
		a.Body = strings.ReplaceAll(a.Body, id, "${"+string(rune('0'+i))+"}")
	}
	if !strings.Contains(a.Body, "Content-Type header") {
		a.Body = parserSaid.ReplaceAllString(a.Body, "$1...") // it names Go types
	}
	if allow := w.Header().Get("Allow"); allow != "" { // in random order, there
		a.Allow = strings.Split(allow, ",")
		slices.Sort(a.Allow)
		a.Body, _, _ = strings.Cut(a.Body, "[")
	}
	return a
}
