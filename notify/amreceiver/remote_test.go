package amreceiver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A remote is an HTTP and an SMTP server that keep what they are sent, by who sent it.
type remote struct {
	*httptest.Server
	smtp net.Listener

	mu       sync.Mutex
	messages map[string]chan string
}

func newRemote(t *testing.T) *remote {
	r := &remote{messages: map[string]chan string{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serveHTTP))
	t.Cleanup(r.Close)
	var err error
	r.smtp, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := r.smtp.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { assert.NoError(t, r.serveSMTP(conn)) })
		}
	})
	t.Cleanup(func() {
		assert.NoError(t, r.smtp.Close())
		wg.Wait()
	})
	return r
}

// from returns the messages of one sender: the first element of the path, or email.
func (r *remote) from(sender string) chan string {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.messages[sender]
	if c == nil {
		c = make(chan string, 100)
		r.messages[sender] = c
	}
	return c
}

func (r *remote) serveHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(err)
	}
	sender, _, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	r.from(sender) <- fmt.Sprintf("%s %s\n%s\n\n%s", req.Method, req.URL, req.Header.Get("Content-Type"), body)
	switch sender {
	case "slack":
		fmt.Fprint(w, "ok")
	case "pagerduty":
		w.WriteHeader(http.StatusAccepted)
	}
}

// What Alertmanager draws anew for each mail.
var drawn = regexp.MustCompile(`(?m)^(Message-Id|Date): .*\r$`)

func (r *remote) serveSMTP(conn net.Conn) error {
	defer conn.Close()
	c := textproto.NewReader(bufio.NewReader(conn))
	say := func(s string) { fmt.Fprintf(conn, "%s\r\n", s) }
	var envelope []string
	say("220 remote")
	for {
		line, err := c.ReadLine()
		if err != nil {
			return err
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); verb {
		case "QUIT":
			say("221 bye")
			return nil
		case "MAIL", "RCPT":
			envelope = append(envelope, line)
			say("250 ok")
		case "DATA":
			say("354 go on")
			mail, err := c.ReadDotBytes()
			if err != nil {
				return err
			}
			say("250 ok")
			r.from("email") <- strings.Join(envelope, "\n") + "\n" + normalise(string(mail))
		default:
			say("250 ok")
		}
	}
}

// normalise replaces what Alertmanager draws anew for each mail, and sorts its headers.
func normalise(mail string) string {
	mail = strings.ReplaceAll(mail, "\n", "\r\n")
	mail = drawn.ReplaceAllString(mail, "$1: \r")
	if m := regexp.MustCompile(`boundary=(\w+)`).FindStringSubmatch(mail); m != nil {
		mail = strings.ReplaceAll(mail, m[1], "BOUNDARY")
	}
	head, body, _ := strings.Cut(mail, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n\n" + body
}

// config is a configuration with many integrations that all lead here.
func (r *remote) config() string {
	return strings.NewReplacer("URL", r.URL, "SMTP", r.smtp.Addr().String()).Replace(`
global:
  smtp_smarthost: SMTP
  smtp_from: alerts@example.org
  smtp_require_tls: false
route:
  receiver: unused-by-itself
  group_by: [alertname, team]
  group_wait: 1ms
  group_interval: 50ms
  labels: {tier: 'tier-{{ .GroupLabels.team }}', count: '{{ len .Alerts.Firing }}', broken: '{{ nope'}
  routes:
  - matchers: ['team=~"d.*"']
    receiver: ops
receivers:
- name: nobody
  webhook_configs: [{url: 'URL/nobody'}]
- name: unused-by-itself
- name: ops
  labels: {floor: second}
  webhook_configs:
  - url: 'URL/webhook'
  - url: 'URL/firing/{{ .GroupLabels.team }}'
    send_resolved: false
    max_alerts: 1
  email_configs:
  - {to: 'on-call@example.org', send_resolved: true}
  pagerduty_configs:
  - {routing_key: k, url: 'URL/pagerduty', details: {why: '{{ .NotificationReason }}', where: '{{ .RouteLabels.tier }}'}}
  slack_configs:
  - api_url: 'URL/slack'
    channel: '#{{ .GroupLabels.team }}'
    send_resolved: true
    title: '{{ template "slack.default.title" . }} {{ .NotificationReason }}'
    text: '{{ range .Alerts }}{{ .Annotations.summary }} {{ .StartsAt }} {{ .EndsAt }} {{ .Fingerprint }} {{ end }}'
    fields: [{title: all, value: '{{ .CommonLabels }}{{ .CommonAnnotations }}'}]
  opsgenie_configs:
  - {api_key: k, api_url: 'URL/opsgenie/', tags: '{{ .RouteLabels.tier }}'}
  discord_configs:
  - {webhook_url: 'URL/discord'}
  msteamsv2_configs:
  - {webhook_url: 'URL/teams'}
  victorops_configs:
  - {api_key: k, api_url: 'URL/victorops/', routing_key: r}
  webex_configs:
  - {api_url: 'URL/webex', room_id: r, http_config: {authorization: {credentials: c}}}
`)
}
