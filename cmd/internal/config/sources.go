package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
	yamlv2 "gopkg.in/yaml.v2"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// The types of a source.
const (
	VMAlert      = "vmalert"
	Prometheus   = "prometheus"
	Alertmanager = "alertmanager"
	Push         = "push"
)

func sourceTypes() []string { return []string{VMAlert, Prometheus, Alertmanager, Push} }

// A Source is asked what fires; one of type push tells it through API v2.
type Source struct {
	// Name is unique among all sources.
	Name string `yaml:"name"`

	// Type is vmalert, prometheus, alertmanager or push.
	Type string `yaml:"type"`

	// URLs are where it is asked: several are the replicas of one highly available pair.
	URLs []string `yaml:"urls"`

	// Interval is how often it is asked. Defaults to 30 seconds.
	Interval time.Duration `yaml:"interval"`

	// Timeout bounds one question. Defaults to 10 seconds, and at most the interval.
	Timeout time.Duration `yaml:"timeout"`

	// Labels are added to each of its alerts that does not have them.
	Labels model.LabelSet `yaml:"labels"`

	// AllowEmpty says that having no rules at all is nothing unusual.
	AllowEmpty bool `yaml:"allow_empty"`

	// MaxStale ends its alerts when it was stale for so long. Zero holds them without limit, which is
	// the default.
	MaxStale time.Duration `yaml:"max_stale"`

	// MaxBody bounds the answer of one of its servers, decompressed. Defaults to 256MB.
	MaxBody Size `yaml:"max_body"`

	// Settle, of type alertmanager, is how long after its start a server may not have heard of
	// everything that fires. Defaults to 5 minutes.
	Settle time.Duration `yaml:"settle"`

	// HTTP is how it is spoken to: TLS, basic auth, bearer tokens, proxies.
	HTTP HTTPClient `yaml:"http_config"`

	// ExpectEvery is how often a source that pushes is heard at least: after a longer silence it is
	// stale, and its alerts are held. Zero expects nothing, which is the default.
	ExpectEvery time.Duration `yaml:"expect_every"`

	// Match says which pushed alerts are this sender's, by labels.
	Match []matcher.Matchers `yaml:"match"`
}

// HTTPClient is Prometheus's HTTP client configuration, with its defaults.
type HTTPClient struct{ config.HTTPClientConfig }

func (s *Source) setDefaults() {
	s.Interval = 30 * time.Second
	s.HTTP.HTTPClientConfig = config.DefaultHTTPClientConfig
}

// Pulled says whether the source is asked.
func (s *Source) Pulled() bool { return s.Type != Push }

func (v validator) sources(ss []Source) {
	seen := map[string]bool{}
	for i := range ss {
		s := &ss[i]
		path := join(v.root, "sources"+index(i))
		if isNull(v.at("sources", i)) {
			continue // refused already
		}
		at := func(key string) *yaml.Node { return v.at("sources", i, key) }
		switch {
		case s.Name == "":
			v.refuse(v.at("sources", i), join(path, "name"), "no name is given", "give it one that says where it is")
		case s.Name == Push || s.Name == "tocsin":
			v.refuse(at("name"), join(path, "name"), fmt.Sprintf("%q is a source of our own", s.Name), "choose another name")
		case seen[s.Name]:
			v.refuse(at("name"), join(path, "name"), fmt.Sprintf("%q is given twice", s.Name), "choose another name, or join the two as replicas: urls: [a, b]")
		}
		seen[s.Name] = true
		switch {
		case !slices.Contains(sourceTypes(), s.Type):
			v.refuse(at("type"), join(path, "type"), fmt.Sprintf("no type %q", s.Type), known(s.Type, sourceTypes()))
		case s.Pulled():
			v.pulled(s, path, at)
		default:
			v.pushed(s, path, at)
		}
	}
}

// pulled checks a source that is asked.
func (v validator) pulled(s *Source, path string, at func(string) *yaml.Node) {
	if len(s.URLs) == 0 {
		v.refuse(at("urls"), join(path, "urls"), "it has no address", "write urls: [http://host:8880]")
	}
	for i, address := range s.URLs {
		u, err := url.Parse(address)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			v.refuse(at("urls"), join(path, "urls"+index(i)), "not the URL of a server", "write one such as http://host:8880")
		} else if u.User != nil {
			v.refuse(at("urls"), join(path, "urls"+index(i)), "a password in a URL ends up in logs", "use http_config: {basic_auth: …}")
		}
	}
	if s.Interval < time.Second {
		v.refuse(at("interval"), join(path, "interval"), "more often than once a second", "leave it out for 30s")
	}
	if s.Timeout == 0 {
		s.Timeout = min(10*time.Second, s.Interval)
	}
	if s.Timeout > s.Interval {
		v.refuse(at("timeout"), join(path, "timeout"), "longer than the interval", "leave it out for 10s")
	}
	if s.Settle != 0 && s.Type != Alertmanager {
		v.refuse(at("settle"), join(path, "settle"), "only an Alertmanager forgets what fires when it is restarted", "remove it, or write type: alertmanager")
	}
	if s.ExpectEvery != 0 || len(s.Match) > 0 {
		v.refuse(at("type"), join(path, "type"), "expect_every and match are for sources that push", "remove them, or write type: push")
	}
	s.HTTP.SetDirectory(filepath.Dir(absolute("", v.doc.name)))
	if err := s.HTTP.Validate(); err != nil {
		v.refuse(at("http_config"), join(path, "http_config"), err.Error(), "see Prometheus's documentation of http_config")
	}
}

// pushed checks a source that pushes.
func (v validator) pushed(s *Source, path string, at func(string) *yaml.Node) {
	if s.ExpectEvery <= 0 {
		v.refuse(at("expect_every"), join(path, "expect_every"), "a source that pushes need not be named, unless it is missed when it falls silent", "say how often it is heard at least, such as expect_every: 1m")
	}
	if len(s.Match) == 0 {
		v.refuse(at("match"), join(path, "match"), "nothing says which alerts are this sender's", `write match: ['prometheus="a"']`)
	}
	if len(s.URLs) > 0 || len(s.Labels) > 0 || s.AllowEmpty || s.MaxBody != 0 || s.Settle != 0 {
		v.refuse(at("type"), join(path, "type"), "urls, labels, allow_empty, max_body and settle are for sources that are asked", "remove them")
	}
}

// decodeHTTP fills an HTTP client configuration, whose decoding is Prometheus's own business.
func (d *decoder) decodeHTTP(n *yaml.Node, path string, v reflect.Value) {
	text, err := yaml.Marshal(n)
	if err == nil {
		client := config.DefaultHTTPClientConfig
		if err = yamlv2.UnmarshalStrict(text, &client); err == nil {
			v.Set(reflect.ValueOf(HTTPClient{client}))
			return
		}
	}
	d.refuse(n, path, strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " "), "see Prometheus's documentation of http_config")
}
