package config

import (
	"fmt"
	"log/slog"
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

	// Receivers extend Alertmanager's receivers of the same names.
	Receivers []Receiver `yaml:"receivers"`
}

// Storage says where state and history are kept. The zero value means SQLite in --storage.path.
type Storage struct {
	// DSN names the database: sqlite:// and the path of its file. Exclusive with DSNFile.
	DSN Secret `yaml:"dsn"`

	// DSNFile is a file that holds the DSN.
	DSNFile string `yaml:"dsn_file"`

	// SQLite is the path of the database file that DSN names, or empty for the default.
	SQLite string `yaml:"-"`
}

// A Receiver adds level-triggered integrations to the Alertmanager receiver of that name.
type Receiver struct {
	Name string       `yaml:"name"`
	Log  *LogReceiver `yaml:"log"`
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
	v := validator{decoder: d, section: section, root: root}
	v.storage(&t.Storage)
	v.replicaLabels(t.ReplicaLabels)
	if t.Retention <= 0 {
		v.refuse(v.at("retention"), join(root, "retention"), "history cannot be kept for no time at all", "leave it out for 90d")
	}
	v.receivers(t.Receivers, receivers)
	v.sources(t.Sources)
	v.teams(t.Teams, receivers)
	return t, d.problems
}

// A validator checks what is decoded already.
type validator struct {
	*decoder
	section *yaml.Node
	root    string
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

const dsnRemedy = "write sqlite:// and the path of a file, or leave storage out to keep it in --storage.path"

// parseDSN returns the file that a DSN names, or what is wrong, without quoting it.
func parseDSN(dsn string) (file, what string) {
	scheme, rest, ok := strings.Cut(dsn, ":")
	switch {
	case !ok:
		return "", "not a database URL"
	case slices.Contains([]string{"postgres", "postgresql", "mysql", "mariadb"}, scheme):
		return "", fmt.Sprintf("this build cannot store in %s, only in SQLite", scheme)
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
		if r.Log == nil {
			v.refuse(v.at("receivers", i), path, "it adds nothing", "add log: {}")
		}
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
