package config

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"slices"

	amconfig "github.com/prometheus/alertmanager/config"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/discovery"
)

// A targetFile is the content of one of the files.
type targetFile struct {
	Targets []HealthTarget `yaml:"targets"`
}

// HealthTargets returns the endpoints that the configuration and its files name, sorted by key.
func (c *Config) HealthTargets() []discovery.Target {
	if c.Tocsin.Health == nil {
		return nil
	}
	return c.Tocsin.Health.found
}

// readTargets adds what the target files say.
func (c *Config) readTargets() error {
	h := c.Tocsin.Health
	if h == nil || len(h.TargetFiles) == 0 {
		return nil
	}
	files := make([]File, len(h.TargetFiles))
	for i, path := range h.TargetFiles {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read health targets: %w", err)
		}
		files[i] = File{Name: path, Text: text}
	}
	found, problems := parseTargets(h.found, files)
	if err := problems.err(); err != nil {
		return err
	}
	h.found = found
	return nil
}

// parseTargets returns the targets of all files beside those that are known.
func parseTargets(known []discovery.Target, files []File) ([]discovery.Target, Problems) {
	s := targetSet{first: map[discovery.Key]targetPlace{}, targets: slices.Clone(known)}
	for i := range known {
		s.first[known[i].Key()] = targetPlace{}
	}
	var problems Problems
	for _, f := range files {
		doc := newDocument(f.Name, f.Text)
		switch {
		case doc.err != nil:
			problems = append(problems, yamlProblem(doc, doc.err))
			continue
		case doc.second != nil:
			problems = append(problems, doc.problem(doc.second, "", "a second document is never read", "remove the line --- and join the two"))
		case doc.root == nil:
			continue
		}
		var content targetFile
		d := &decoder{doc: doc}
		d.decode(doc.root, "", reflect.ValueOf(&content).Elem())
		s.add(d, content.Targets, items(get(doc.root, "targets")), "targets")
		problems = append(problems, d.problems...)
	}
	return s.sorted(), problems
}

// A targetSet gathers targets, each of which is given once.
type targetSet struct {
	first   map[discovery.Key]targetPlace
	targets []discovery.Target
}

// A targetPlace is where a target is written; the zero value is the configuration itself.
type targetPlace struct {
	file string
	line int
}

// formats are those that a target may be said to have.
var formats = [...]discovery.Format{
	discovery.ASPNet, discovery.Spring3, discovery.Spring2, discovery.Spring1, discovery.MicroProfile, discovery.HealthJSON,
	discovery.GoHealth, discovery.HealthGo, discovery.Terminus, discovery.Heptio, discovery.Kube, discovery.Generic, discovery.Text,
}

// add checks targets and adds those that are good. Nodes are where they are written.
func (s *targetSet) add(d *decoder, targets []HealthTarget, nodes []*yaml.Node, root string) {
	for i, t := range targets {
		node, path := resolve(nodes[i]), root+index(i)
		if isNull(node) {
			continue // refused already
		}
		at := func(key string) *yaml.Node {
			if n := get(node, key); n != nil {
				return n
			}
			return node
		}
		made := discovery.Target{
			Cluster: t.Cluster, Namespace: cmp.Or(t.Namespace, t.Environment), Environment: cmp.Or(t.Environment, t.Namespace),
			Service: t.Service, URL: t.URL, Labels: t.Labels, Format: discovery.Format(t.Format), Expect: t.Expect,
		}
		before := len(d.problems)
		for _, needed := range []struct{ key, value string }{{"cluster", t.Cluster}, {"environment", made.Namespace}, {"service", t.Service}} {
			if needed.value == "" {
				d.refuse(at(needed.key), join(path, needed.key), "it is missing", "write a name: alerts and pages have it")
			}
		}
		if u, err := url.Parse(t.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			d.refuse(at("url"), join(path, "url"), "not the URL of a health endpoint", "write one such as http://cart/health")
		}
		if t.Format != "" && !slices.Contains(formats[:], made.Format) {
			names := make([]string, len(formats))
			for i, f := range formats {
				names[i] = string(f)
			}
			d.refuse(at("format"), join(path, "format"), fmt.Sprintf("no format %q", t.Format), known(t.Format, names))
		}
		place, twice := s.first[made.Key()]
		if twice {
			remedy := "remove one of the two"
			if place.file != "" {
				remedy = fmt.Sprintf("it stands in %s:%d already", place.file, place.line)
			}
			d.refuse(node, path, fmt.Sprintf("%s is given twice", made.Key()), remedy)
		}
		if len(d.problems) == before {
			s.first[made.Key()] = targetPlace{d.doc.name, node.Line}
			s.targets = append(s.targets, made)
		}
	}
}

// sorted returns the targets; an empty list says that there are none.
func (s *targetSet) sorted() []discovery.Target {
	if s.targets == nil {
		return []discovery.Target{}
	}
	slices.SortFunc(s.targets, func(a, b discovery.Target) int { return a.Key().Compare(b.Key()) })
	return s.targets
}

// LoadHealth reads the section health: alone, of a file that has it at its top or below tocsin:, such as the
// server's own, and the target files that it names.
func LoadHealth(path string) (*Config, error) {
	f, err := readFile(path)
	if err != nil {
		return nil, err
	}
	doc := newDocument(f.Name, f.Text)
	if doc.err != nil {
		return nil, Problems{yamlProblem(doc, doc.err)}.err()
	}
	section, root := doc.root, ""
	if below := get(doc.root, Key); below != nil {
		section, root = resolve(below), Key
	}
	c := &Config{Alertmanager: &amconfig.Config{}, HasTocsin: true, Hash: hash(f, nil), paths: []string{f.Name}}
	c.Tocsin.setDefaults()
	d := &decoder{doc: doc}
	node := get(section, "health")
	if node == nil {
		d.refuse(section, join(root, "health"), "it is missing", "write what is asked, and where results go")
		return nil, d.problems.err()
	}
	d.decode(node, join(root, "health"), reflect.ValueOf(&c.Tocsin.Health).Elem())
	validator{decoder: d, section: section, root: root}.health(&c.Tocsin)
	if err := d.problems.err(); err != nil {
		return nil, err
	}
	return c, c.readTargets()
}
