package config

import (
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Tocsin is what stands below the key tocsin:. Without that key it holds the defaults.
type Tocsin struct {
	// Storage says where state and history are kept.
	Storage Storage `yaml:"storage"`

	// ReplicaLabels are left out of an alert's identity, so that what two replicas report is one
	// alert. Defaults to none.
	ReplicaLabels []model.LabelName `yaml:"replica_labels"`

	// StartupGrace is how long after a start a source may stay unread before it counts as stale.
	// Defaults to 2 minutes.
	StartupGrace time.Duration `yaml:"startup_grace"`

	// Retention is how long history is kept. Defaults to 90 days.
	Retention time.Duration `yaml:"retention"`

	// Sources are asked what fires, beside what is pushed.
	Sources []Source `yaml:"sources"`

	// Teams own alerts by labels, and are told of them beside where the routes lead.
	Teams []Team `yaml:"teams"`

	// Windows are planned maintenance. Others are made by the API, the page and the command line.
	Windows []Window `yaml:"windows"`

	// SilenceGuard says which silences and windows must be confirmed.
	SilenceGuard SilenceGuard `yaml:"silence_guard"`

	// ScopeLabels name the labels that the scope of a window speaks of.
	ScopeLabels ScopeLabels `yaml:"scope_labels"`

	// SeverityLabel is the label that the severity is in. Defaults to severity.
	SeverityLabel model.LabelName `yaml:"severity_label"`

	// Severities are the values of that label, the worst first. Defaults to none: all alerts are equal.
	Severities Severities `yaml:"severities"`

	// Dependencies say which alerts explain which others.
	Dependencies []Dependency `yaml:"dependencies"`

	// Rollups turn many weak alerts into one that states the impact.
	Rollups []Rollup `yaml:"rollups"`

	// Topology says what depends on what.
	Topology Topology `yaml:"topology"`

	// Transients say what becomes of alerts that are gone at once. Absent: they are told.
	Transients *Transients `yaml:"transients"`

	// Flap says when an alert flaps. Absent: none does.
	Flap *Flap `yaml:"flap"`

	// Flood says how many pages are too many. Absent: none are.
	Flood *Flood `yaml:"flood"`

	// Receivers extend Alertmanager's receivers of the same names.
	Receivers []Receiver `yaml:"receivers"`

	// Heartbeats are sent as long as all is well.
	Heartbeats []Heartbeat `yaml:"heartbeats"`

	// Health has health endpoints found, asked and shown. Nil: none.
	Health *Health `yaml:"health"`
}

// Storage says where state and history are kept. The zero value means SQLite in --storage.path.
type Storage struct {
	// DSN names the database: sqlite:// and the path of its file, or the URL of a server, such as
	// postgres://user:password@host/database or mysql://user:password@host/database. Exclusive with
	// DSNFile.
	DSN Secret `yaml:"dsn"`

	// DSNFile is a file that holds the DSN.
	DSNFile string `yaml:"dsn_file"`

	// SQLite is the path of the database file that DSN names, or empty for the default.
	SQLite string `yaml:"-"`
}

// Server returns which kind of server DSN names: postgres, mysql, or nothing for SQLite.
func (s Storage) Server() string {
	scheme, _, _ := strings.Cut(s.DSN.Reveal(), ":")
	return serverOf(scheme)
}

// serverOf is the kind of server that a DSN of that scheme names, or nothing.
func serverOf(scheme string) string {
	switch scheme {
	case "postgres", "postgresql":
		return "postgres"
	case "mysql", "mariadb":
		return "mysql"
	}
	return ""
}

// A Receiver adds level-triggered integrations to the Alertmanager receiver of that name.
type Receiver struct {
	Name     string       `yaml:"name"`
	Log      *LogReceiver `yaml:"log"`
	Opsgenie *Opsgenie    `yaml:"opsgenie"`

	// Fallback is the receiver that is told of what a level-triggered integration of this one refused
	// for good, or did not accept in a day.
	Fallback string `yaml:"fallback"`
}

// A LogReceiver writes a line to the log when an alert begins and when it ends.
type LogReceiver struct {
	// Level of the lines. Defaults to info.
	Level slog.Level `yaml:"level"`

	// SendResolved says whether ends are written too. Defaults to true.
	SendResolved bool `yaml:"send_resolved"`
}

func (t *Tocsin) setDefaults() {
	t.StartupGrace = 2 * time.Minute
	t.Retention = 90 * 24 * time.Hour
	t.SilenceGuard.setDefaults()
}

func (l *LogReceiver) setDefaults() {
	l.Level = slog.LevelInfo
	l.SendResolved = true
}

// parseTocsin decodes and validates the section. Its problems have paths below root.
func parseTocsin(doc *document, section *yaml.Node, root string, receivers []string) (Tocsin, Problems) {
	var t Tocsin
	t.setDefaults()
	d := &decoder{doc: doc}
	d.decode(section, root, reflect.ValueOf(&t).Elem())
	v := validator{decoder: d, section: section, root: root, misread: slices.Clone(d.problems)}
	v.storage(&t.Storage)
	v.replicaLabels(t.ReplicaLabels)
	if t.Retention <= 0 {
		v.refuse(v.at("retention"), join(root, "retention"), "history cannot be kept for no time at all", "leave it out for 90d")
	}
	v.receivers(t.Receivers, receivers)
	v.heartbeats(t.Heartbeats, t.Receivers, t.Sources)
	v.sources(t.Sources)
	v.windows(&t)
	v.teams(t.Teams, receivers)
	v.topology(&t.Topology, t.Health)
	v.dependencies(&t)
	v.rollups(&t)
	v.circles(&t)
	v.transients(&t)
	v.health(&t)
	return t, d.problems
}

// A validator checks what is decoded already.
type validator struct {
	*decoder
	section *yaml.Node
	root    string
	misread Problems // what could not be decoded
}

// refuse adds a problem, unless what it is about, or something below it, could not be decoded: then it
// would only be a consequence of that.
func (v validator) refuse(n *yaml.Node, path, what, remedy string) {
	for _, p := range v.misread {
		if rest, below := strings.CutPrefix(p.Path, path); below && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return
		}
	}
	v.decoder.refuse(n, path, what, remedy)
}

// at finds the node that a path of keys and list positions leads to, or the nearest above it.
func (v validator) at(path ...any) *yaml.Node {
	n := resolve(v.section)
	for _, step := range path {
		var next *yaml.Node
		switch step := step.(type) {
		case string:
			next = get(n, step)
		case int:
			if list := items(n); step < len(list) {
				next = resolve(list[step])
			}
		}
		if next == nil {
			break
		}
		n = next
	}
	return n
}

func (v validator) storage(s *Storage) {
	path := join(v.root, "storage")
	if s.DSN != "" && s.DSNFile != "" {
		v.refuse(v.at("storage", "dsn_file"), join(path, "dsn_file"), "dsn is given as well", "keep one of the two")
		return
	}
	s.DSNFile = absolute(v.doc.name, s.DSNFile)
	if s.DSN == "" {
		return
	}
	file, what := parseDSN(s.DSN.Reveal())
	if what != "" {
		v.refuse(v.at("storage", "dsn"), join(path, "dsn"), what, dsnRemedy)
	}
	s.SQLite = absolute(v.doc.name, file)
}

const dsnRemedy = "write sqlite:// and the path of a file, postgres://user:password@host/database or " +
	"mysql://user:password@host/database, or leave storage out to keep it in --storage.path"

// parseDSN returns the file that a DSN names, if it names one, or what is wrong, without quoting it.
func parseDSN(dsn string) (file, what string) {
	scheme, rest, ok := strings.Cut(dsn, ":")
	switch {
	case !ok:
		return "", "not a database URL"
	case serverOf(scheme) != "":
		if u, err := url.Parse(dsn); err != nil || strings.Trim(u.Path, "/") == "" {
			return "", "not the URL of a database on a server"
		}
		return "", ""
	case scheme != "sqlite" && scheme != "file":
		return "", "a database of an unknown kind"
	}
	file = strings.TrimPrefix(rest, "//")
	switch {
	case file == "":
		return "", "no file is named"
	case strings.Contains(file, ":memory:"):
		return "", "a database in memory would forget every alert at a restart"
	case strings.ContainsAny(file, "?#"):
		return "", "SQLite's parameters cannot be set"
	}
	return file, ""
}

func (v validator) replicaLabels(labels []model.LabelName) {
	for i, l := range labels {
		path := join(v.root, "replica_labels"+index(i))
		switch {
		case l == "": // refused already
		case l == model.AlertNameLabel:
			v.refuse(v.at("replica_labels", i), path, "without alertname all alerts would be the same", "remove it")
		case slices.Contains(labels[:i], l):
			v.refuse(v.at("replica_labels", i), path, fmt.Sprintf("%q is given twice", l), "remove one")
		}
	}
}

func (v validator) receivers(rs []Receiver, names []string) {
	seen := map[string]bool{}
	for i, r := range rs {
		path := join(v.root, "receivers"+index(i))
		if isNull(v.at("receivers", i)) {
			continue // refused already
		}
		switch {
		case r.Name == "":
			v.refuse(v.at("receivers", i), join(path, "name"), "no name is given", "name the Alertmanager receiver that it extends")
		case !slices.Contains(names, r.Name):
			v.refuse(v.at("receivers", i, "name"), join(path, "name"), fmt.Sprintf("no receiver %q", r.Name), known(r.Name, names))
		case seen[r.Name]:
			v.refuse(v.at("receivers", i, "name"), join(path, "name"), fmt.Sprintf("receiver %q is extended twice", r.Name), "join the two entries")
		}
		seen[r.Name] = true
		if r.Log == nil && r.Opsgenie == nil {
			v.refuse(v.at("receivers", i), path, "it adds nothing", "add opsgenie: {...} or log: {}")
		}
		if r.Opsgenie != nil {
			v.opsgenie(i, rs[i].Opsgenie)
		}
		v.fallback(i, rs, names)
	}
}

// fallback checks that a fallback is a receiver, and does not lead back.
func (v validator) fallback(i int, rs []Receiver, names []string) {
	path := join(v.root, "receivers"+index(i)+".fallback")
	at := v.at("receivers", i, "fallback")
	if rs[i].Fallback == "" {
		return
	}
	if !slices.Contains(names, rs[i].Fallback) {
		v.refuse(at, path, fmt.Sprintf("no receiver %q", rs[i].Fallback), known(rs[i].Fallback, names))
		return
	}
	seen := []string{rs[i].Name}
	for next := rs[i].Fallback; next != ""; {
		if slices.Contains(seen, next) {
			v.refuse(at, path, "it leads back: "+strings.Join(append(seen, next), " -> "), "name a receiver that has no fallback of its own")
			return
		}
		seen = append(seen, next)
		n := slices.IndexFunc(rs, func(r Receiver) bool { return r.Name == next })
		if n < 0 {
			return
		}
		next = rs[n].Fallback
	}
}

// absolute makes a path that a file names absolute; an empty one stays empty.
func absolute(file, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	joined := filepath.Join(filepath.Dir(file), path)
	if abs, err := filepath.Abs(joined); err == nil {
		return abs
	}
	return joined
}
