package opsgenie

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tocsin/tocsin/alarm"
)

// The addresses of the services.
const (
	US  = "https://api.opsgenie.com"
	EU  = "https://api.eu.opsgenie.com"
	JSM = "https://api.atlassian.com/jsm/ops/integration" // for all regions

	jsmOps = "https://api.atlassian.com/jsm/ops/api"
)

// A Backend is the service that a Client talks to.
type Backend uint8

// The back ends.
const (
	Opsgenie              Backend = iota // until April 2027
	JiraServiceManagement                // its successor: JSM Operations
)

// String returns the back end's name as the configuration writes it.
func (b Backend) String() string { return [...]string{"opsgenie", "jsm"}[b] }

// Options configures a Client. The zero value works, with Opsgenie in the US.
type Options struct {
	// Backend is the service. Defaults to Opsgenie.
	Backend Backend

	// URL is the service's address. Defaults to US or JSM.
	URL string

	// Operations is how JSM's state is read back, incidents are updated in place and heartbeats are
	// sent. Without it a JSM client can create, close and note, and nothing else. Opsgenie needs none.
	Operations Operations

	// Instance tells this installation from others that use the same account. At most 40 characters,
	// without slash, quote or control characters. Defaults to tocsin.
	Instance string

	// Tag marks what is ours, beside the instance. At most 50 characters. Defaults to tocsin.
	Tag string

	// AliasKey takes the place of the receiver's name in aliases, so that a renamed receiver keeps its
	// incidents. Defaults to the receiver's name.
	AliasKey string

	// Content says what incidents look like.
	Content Content

	// Severities give the priority. Without a known severity it is P3.
	Severities alarm.Severities

	// Priority may change the priority of an alert from what its severity says, such as for a passive
	// cluster. It must be a plain function of its arguments. What is not P1 to P5 has no effect.
	Priority func(a *alarm.Alert, bySeverity string) string

	// User is shown as the one who acts. At most 100 characters. Defaults to tocsin.
	User string

	// ExternalURL is the address of our pages, for templates and as the incidents' source. May be empty.
	ExternalURL string

	// Settle is how often at most an update is sent that changes nothing but numbers in the text.
	// Defaults to 10 min; negative means that such changes are never sent.
	Settle time.Duration

	// Follow says how accepted requests are followed to their outcome.
	Follow Follow

	// Timeout bounds one request, from the moment at which the rate limits let it go. Defaults to 30 s.
	Timeout time.Duration

	// Account holds the rate limits, to be shared by all clients of one account. Nil makes one.
	Account *Account

	// HTTPClient sends the requests; redirects are never followed. Defaults to one of the package's
	// own, with http.DefaultTransport.
	HTTPClient *http.Client

	// Logger defaults to discarding.
	Logger *slog.Logger
}

// Operations is JSM's Operations REST API, which knows no integration keys.
type Operations struct {
	// URL is its address, up to the cloud id. Defaults to https://api.atlassian.com/jsm/ops/api
	URL string

	// CloudID is the site's.
	CloudID string

	// Email and Token are an account's. An empty Email makes Token an OAuth bearer.
	Email string
	Token string

	// TeamID owns the heartbeats.
	TeamID string
}

// Follow says how accepted requests are followed.
type Follow struct {
	// First is how long after the request its outcome is asked for; every further wait is twice as
	// long, up to Max. Default to 500 ms and 8 s.
	First, Max time.Duration

	// For is how long it is asked for in one attempt. Defaults to 20 s.
	For time.Duration
}

// A secret is never printed.
type secret string

// String hides it.
func (secret) String() string { return "<secret>" }

// GoString hides it.
func (secret) GoString() string { return "<secret>" }

// LogValue hides it.
func (secret) LogValue() slog.Value { return slog.StringValue("<secret>") }

func (o Options) withDefaults() Options {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&o.URL, map[Backend]string{Opsgenie: US, JiraServiceManagement: JSM}[o.Backend])
	set(&o.Operations.URL, jsmOps)
	o.URL = strings.TrimRight(o.URL, "/")
	o.Operations.URL = strings.TrimRight(o.Operations.URL, "/")
	set(&o.Instance, "tocsin")
	set(&o.Tag, "tocsin")
	set(&o.User, "tocsin")
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Settle, 10 * time.Minute},
		{&o.Timeout, 30 * time.Second},
		{&o.Follow.First, 500 * time.Millisecond},
		{&o.Follow.Max, 8 * time.Second},
		{&o.Follow.For, 20 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.Account == nil {
		o.Account = NewAccount(AccountOptions{})
	}
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// validate returns all that is wrong, after the defaults were set.
func (o Options) validate(key string) error {
	var all []error
	bad := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	if o.Backend > JiraServiceManagement {
		bad("backend %d: use Opsgenie or JiraServiceManagement", o.Backend)
	}
	if key == "" {
		bad("the key is empty: create an API integration and take its key")
	}
	if strings.ContainsFunc(key+o.Operations.Token+o.Operations.Email, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		bad("key, e-mail or token holds a control character, perhaps the newline at the end of its file")
	}
	for _, u := range []string{o.URL, o.Operations.URL} {
		if parsed, err := url.Parse(u); err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.RawQuery != "" {
			bad("%q is not an address: give scheme and host, as in %s", u, EU)
		}
	}
	for _, f := range []struct {
		what, value string
		limit       int
	}{{"instance", o.Instance, 40}, {"tag", o.Tag, limitTag}, {"alias key", o.AliasKey, 200}, {"user", o.User, limitUser}} {
		if n := utf8.RuneCountInString(f.value); n > f.limit {
			bad("%s has %d characters: at most %d", f.what, n, f.limit)
		}
		if strings.ContainsFunc(f.value, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == utf8.RuneError }) {
			bad("%s %q: no quotes, backslashes or control characters", f.what, f.value)
		}
	}
	if strings.Contains(o.Instance, "/") {
		bad("instance %q: no slash", o.Instance)
	}
	if o.operations() && o.Operations.Token == "" {
		bad("operations: cloud id %q has no token", o.Operations.CloudID)
	}
	if o.Backend == JiraServiceManagement && o.Operations.CloudID == "" && (o.Operations.Token != "" || o.Operations.TeamID != "") {
		bad("operations: the cloud id is missing: https://<site>.atlassian.net/_edge/tenant_info shows it")
	}
	if o.Follow.First < 0 || o.Follow.Max < 0 || o.Follow.For < 0 || o.Timeout < 0 {
		bad("follow and timeout: durations must not be negative")
	}
	return errors.Join(all...)
}

// operations says whether JSM's Operations API can be used.
func (o *Options) operations() bool {
	return o.Backend == JiraServiceManagement && o.Operations.CloudID != ""
}
