package opsgenie

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Whatever the service, or whoever poses as it, sends: no panic, and what was read is whole.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"data":{"success":true,"isSuccess":true,"status":"Created alert","alertId":"1","alias":"a"},"took":0.1}`,
		`{"isSuccess":false,"status":"Alert does not exist","alertId":""}`,
		`{"data":[{"id":"1","status":"open","tags":["a"],"createdAt":"2026-01-01T00:00:00Z","report":{"closeTime":5}}],"paging":{"next":"x"}}`,
		`{"values":[{"id":"1","createdAt":1700000000000}],"links":{"next":""}}`,
		`{"data":{"id":"1","status":"closed"}}`,
		`{"message":"m","errors":{"a":"b"},"code":40301}`, `{"errors":[{"title":"t","detail":"d"}]}`,
		`{"data":{"rateLimits":[{"domain":"search","limits":[{"periodInSeconds":60,"limit":600}]}]}}`,
		`{"values":[{"name":"n","status":"Off"}]}`, `{"data":{"name":"n","enabled":true,"lastPingTime":"x"}}`,
		`null`, `[]`, `{`, ``, `{"data":null}`,
	} {
		f.Add([]byte(seed))
	}
	c, err := New("key", Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if o, err := parseOutcome(body); err == nil {
			assert.False(t, o.Success && o.notOpen())
		}
		_, _ = parseRequestID(body)
		if p, err := parsePage(body); err == nil {
			for i := range p.items {
				in := c.incident(&p.items[i])
				assert.False(t, in.Ours && len(in.Tags) < 2)
			}
		}
		if i, err := parseItem(body); err == nil {
			assert.NotEmpty(t, i.ID)
			_ = c.incident(&i)
		}
		_ = parseError(422, body).Error()
		if limits, err := parseLimits(answer{body: body}); err == nil {
			for _, l := range limits {
				assert.Positive(t, l.burst)
			}
		}
		if h, err := parseHeartbeat(answer{body: body}, "n"); err == nil {
			_ = h
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("60", "Mon, 02 Jan 2006 15:04:05 GMT")
	f.Add("-1", "99999999999999")
	f.Fuzz(func(t *testing.T, period, after string) {
		h := http.Header{"X-Ratelimit-Period-In-Sec": {period}, "Retry-After": {after}}
		d, _ := retryAfter(h, time.Unix(1e9, 0))
		assert.GreaterOrEqual(t, d, time.Second)
		assert.LessOrEqual(t, d, time.Hour)
	})
}

func FuzzWebhook(f *testing.F) {
	f.Add([]byte(`{"action":"Close","alert":{"alias":"a","tags":["t"],"updatedAt":1700000000000},"source":{"name":"","type":"web"}}`))
	f.Add([]byte(`{"action":"Close","alert":{"alias":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := ParseWebhook(body)
		if err != nil {
			return
		}
		assert.NotEmpty(t, e.Action)
		assert.NotEmpty(t, e.Alias)
	})
}

// What was kept is read as it was written, and anything else is refused.
func FuzzTold(f *testing.F) {
	in := incident{Alias: "a", Message: "m", Tags: []string{"t"}, Details: map[string]string{"k": "v"}, Priority: "P1"}
	seed := newTold(&in, time.Unix(1e9, 0).UTC())
	f.Add(seed.encode())
	f.Add([]byte(`{"v":2,"alias":"a"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeTold(data)
		if err != nil {
			assert.False(t, got.known())
			return
		}
		if !got.known() {
			return
		}
		if y := got.At.Year(); y < 0 || y > 9999 {
			return // not a time that was written
		}
		b, err := json.Marshal(got)
		assert.NoError(t, err)
		again, err := decodeTold(b)
		assert.NoError(t, err)
		assert.Equal(t, string(b), string(again.encode()))
	})
}
