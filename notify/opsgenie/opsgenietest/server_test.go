package opsgenietest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ask sends one request and returns status, header and body.
func ask(t *testing.T, c *http.Client, method, target, body string) (int, http.Header, map[string]any, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "GenieKey key")
	resp, err := c.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, resp.Header, nil, err
	}
	var answer map[string]any
	require.NoError(t, json.Unmarshal(text, &answer), string(text))
	return resp.StatusCode, resp.Header, answer, nil
}

func TestServerIsAsynchronous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Delay: 2 * time.Second})
		code, _, answer, err := ask(t, s.Client(), "POST", "http://x/v2/alerts", `{"message":"m","alias":"a"}`)
		require.NoError(t, err)
		assert.Equal(t, 202, code)
		assert.Empty(t, s.Open())
		status := fmt.Sprint("http://x/v2/alerts/requests/", answer["requestId"])
		code, header, _, _ := ask(t, s.Client(), "GET", status, "")
		assert.Equal(t, 404, code)
		assert.Equal(t, "RequestNotProcessed", header.Get("X-Opsgenie-Errortype"))
		time.Sleep(2 * time.Second)
		code, _, answer, _ = ask(t, s.Client(), "GET", status, "")
		assert.Equal(t, 200, code)
		assert.Equal(t, true, answer["data"].(map[string]any)["isSuccess"])
		code, header, _, _ = ask(t, s.Client(), "GET", "http://x/v2/alerts/requests/none", "")
		assert.Equal(t, 404, code)
		assert.Empty(t, header.Get("X-Opsgenie-Errortype"), "final")
	})
}

func TestServerCountsRepeats(t *testing.T) {
	s := New(Options{})
	for i := range 120 {
		_, _, _, err := ask(t, s.Client(), "POST", "http://x/v2/alerts", fmt.Sprintf(`{"message":"m%d","alias":"a"}`, i))
		require.NoError(t, err)
	}
	a, ok := s.Find("a")
	require.True(t, ok)
	assert.Equal(t, 100, a.Count)
	assert.Equal(t, 120, a.Creates)
	assert.Equal(t, "m0", a.Message, "a repeat changes nothing")
	s.Close("a", "ann")
	_, _, _, err := ask(t, s.Client(), "POST", "http://x/v2/alerts", `{"message":"m","alias":"a"}`)
	require.NoError(t, err)
	again, _ := s.Find("a")
	assert.NotEqual(t, a.ID, again.ID)
	assert.Equal(t, 1, again.Count)
}

func TestServerRefuses(t *testing.T) {
	s := New(Options{})
	for body, field := range map[string]string{
		`{}`: "message",
		`{"message":"` + strings.Repeat("ä", 131) + `"}`:                      "message",
		`{"message":"m","priority":"P6"}`:                                     "priority",
		`{"message":"m","responders":[{"type":"crowd","name":"x"}]}`:          "responders#type",
		`{"message":"m","details":{"k":"` + strings.Repeat("x", 8000) + `"}}`: "details",
		`{"message":"m","description":"` + strings.Repeat("x", 15001) + `"}`:  "description",
	} {
		code, _, answer, err := ask(t, s.Client(), "POST", "http://x/v2/alerts", body)
		require.NoError(t, err)
		assert.Equal(t, 422, code, field)
		assert.Contains(t, answer["errors"], field)
	}
	code, _, _, _ := ask(t, s.Client(), "POST", "http://x/v2/alerts", `{`)
	assert.Equal(t, 400, code)
	code, _, _, _ = ask(t, s.Client(), "POST", "http://x/v2/alerts", `{"message":"`+strings.Repeat("ä", 130)+`"}`)
	assert.Equal(t, 202, code)
	assert.Len(t, s.Alerts(), 1)

	code, _, answer, _ := ask(t, s.Client(), "POST", "http://x/v2/alerts/none/close?identifierType=alias", `{}`)
	assert.Equal(t, 202, code, "accepted, and fails")
	_, _, answer, _ = ask(t, s.Client(), "GET", fmt.Sprint("http://x/v2/alerts/requests/", answer["requestId"]), "")
	assert.Equal(t, "Alert does not exist", answer["data"].(map[string]any)["status"])
}

func TestServerThrottles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{AlertsPerMinute: 2})
		codes := ""
		for range 3 {
			code, header, _, _ := ask(t, s.Client(), "POST", "http://x/v2/alerts", `{"message":"m"}`)
			codes += fmt.Sprint(code, " ", header.Get("X-RateLimit-State"), " ")
		}
		assert.Equal(t, "202 OK 202 OK 429 THROTTLED ", codes)
		code, _, _, _ := ask(t, s.Client(), "GET", "http://x/v2/alerts", "")
		assert.Equal(t, 200, code, "search is counted by itself")
		time.Sleep(30 * time.Second)
		code, _, _, _ = ask(t, s.Client(), "POST", "http://x/v2/alerts", `{"message":"m"}`)
		assert.Equal(t, 202, code)
	})
}

func TestServerPages(t *testing.T) {
	s := New(Options{})
	for i := range 25 {
		s.Put(Alert{Alias: fmt.Sprint(i), Message: "m"})
	}
	_, _, answer, err := ask(t, s.Client(), "GET", "http://x/v2/alerts?limit=10&offset=10", "")
	require.NoError(t, err)
	assert.Len(t, answer["data"], 10)
	assert.Contains(t, answer["paging"], "next")
	assert.NotContains(t, answer["data"].([]any)[0], "description", "lists are brief")
	_, _, answer, _ = ask(t, s.Client(), "GET", "http://x/v2/alerts?limit=10&offset=20", "")
	assert.Len(t, answer["data"], 5)
	assert.NotContains(t, answer["paging"], "next")
	code, _, _, _ := ask(t, s.Client(), "GET", "http://x/v2/alerts?limit=100&offset=19950", "")
	assert.Equal(t, 422, code)
}

// The faults are the same over a socket and without one.
func TestServerFaults(t *testing.T) {
	for _, wire := range []bool{false, true} {
		s := New(Options{})
		base, client := "http://x", s.Client()
		if wire {
			over := httptest.NewServer(s)
			defer over.Close()
			base, client = over.URL, over.Client()
			client.Transport.(*http.Transport).DisableKeepAlives = true
		}
		create := func(f Fault) (int, error) {
			f.Times = 1
			s.Inject(f)
			code, _, _, err := ask(t, client, "POST", base+"/v2/alerts", `{"message":"m"}`)
			return code, err
		}
		code, err := create(Fault{Kind: Refuse, Status: 502})
		assert.NoError(t, err)
		assert.Equal(t, 502, code)
		_, err = create(Fault{Kind: Lose})
		assert.Error(t, err)
		_, err = create(Fault{Kind: Hang})
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Empty(t, s.Alerts(), "nothing was done by any of these")

		_, err = create(Fault{Kind: DoAndHang})
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = create(Fault{Kind: DoAndDrop})
		assert.Error(t, err)
		code, err = create(Fault{Kind: DoAndCut})
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Equal(t, 202, code)
		assert.Len(t, s.Alerts(), 3)
		code, err = create(Fault{Kind: FailLater})
		assert.NoError(t, err)
		assert.Equal(t, 202, code)
		assert.Len(t, s.Alerts(), 3)
	}
	var op *net.OpError
	s := New(Options{})
	s.Inject(Fault{Kind: Lose})
	_, _, _, err := ask(t, s.Client(), "GET", "http://x/v2/alerts", "")
	require.ErrorAs(t, err, &op)
	assert.Equal(t, "dial", op.Op)
}

func TestServerJSM(t *testing.T) {
	s := New(Options{JSM: true})
	in, ops := "http://x"+PathIntegration, "http://x"+PathOperations+"/cloud"
	code, _, _, _ := ask(t, s.Client(), "POST", in+"/v2/alerts", `{"message":"m","alias":"a"}`)
	assert.Equal(t, 202, code)
	code, _, _, _ = ask(t, s.Client(), "GET", in+"/v2/alerts", "")
	assert.Equal(t, 404, code, "integration keys do not list")
	code, _, _, _ = ask(t, s.Client(), "GET", ops+"/v1/alerts", "")
	assert.Equal(t, 401, code, "the Operations API knows no integration keys")

	req, err := http.NewRequestWithContext(t.Context(), "GET", ops+"/v1/alerts/alias?alias=a", nil)
	require.NoError(t, err)
	req.SetBasicAuth("ops@example.org", "token")
	resp, err := s.Client().Do(req)
	require.NoError(t, err)
	var a map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&a))
	assert.Equal(t, "a", a["alias"], "without an envelope")
}
