package config

import (
	"fmt"
	"os"
	"reflect"
	"slices"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/alarm"
)

// Topology says where it is known what depends on what: in files, and from health while the server runs.
type Topology struct {
	// Health adds what services say in their health documents that they depend on, and Kubernetes on which
	// nodes their pods run. Both need the section health. Default to false.
	Health     bool `yaml:"health"`
	Kubernetes bool `yaml:"kubernetes"`

	// Files hold entities, each file a mapping with the key entities. They are watched.
	Files []string `yaml:"files"`

	places Problems // where each of them is named
}

// A topologyFile is the content of one of the files.
type topologyFile struct {
	Entities []entity `yaml:"entities"`
}

// An entity is an alarm.Entity as it is written.
type entity struct {
	Name      string         `yaml:"name"`
	Kind      string         `yaml:"kind"`
	Labels    model.LabelSet `yaml:"labels"`
	DependsOn []string       `yaml:"depends_on"`
}

// Topology returns what the files say, and live, which is what health says at present. It is nil if neither is
// asked for.
func (c *Config) Topology(live alarm.Entities) alarm.Topology {
	if !c.Tocsin.Topology.given() {
		return nil
	}
	if !c.Tocsin.Topology.Live() {
		return c.entities
	}
	return alarm.Topologies{c.entities, live}
}

// Live says whether the topology changes while the server runs.
func (t *Topology) Live() bool { return t.Health || t.Kubernetes }

func (t *Topology) given() bool { return len(t.Files) > 0 || t.Live() }

func (v validator) topology(t *Topology, h *Health) {
	for key, on := range map[string]bool{"health": t.Health, "kubernetes": t.Kubernetes} { // problems are sorted
		switch at, path := v.at("topology", key), join(v.root, "topology."+key); {
		case on && h == nil:
			v.refuse(at, path, "no health is asked", "write the section health beside it, or leave this out")
		case on && key == "kubernetes" && h.Kubernetes == nil && h.VictoriaLogs == nil:
			v.refuse(at, path, "nobody knows where pods run", "write kubernetes: or victorialogs: in the section health, or leave this out")
		}
	}
	for i, file := range t.Files {
		path := join(v.root, "topology.files"+index(i))
		switch {
		case file == "":
			v.refuse(v.at("topology", "files", i), path, "no file is named", "write a path such as topology.yml")
		case slices.Contains(t.Files[:i], file):
			v.refuse(v.at("topology", "files", i), path, fmt.Sprintf("%q is given twice", file), "remove one")
		}
	}
	for i := range t.Files {
		t.places = append(t.places, v.doc.problem(v.at("topology", "files", i), join(v.root, "topology.files"+index(i)), "", ""))
		t.Files[i] = absolute(v.doc.name, t.Files[i])
	}
}

// readTopology reads the files that the topology is in.
func (c *Config) readTopology() error {
	var files []File
	var unread Problems
	for i, path := range c.Tocsin.Topology.Files {
		text, err := os.ReadFile(path)
		if err != nil {
			p := c.Tocsin.Topology.places[i]
			p.What, p.Remedy = err.Error(), "name a file that can be read: a path is relative to the file that it stands in"
			unread = append(unread, p)
		}
		files = append(files, File{Name: path, Text: text})
	}
	if err := unread.err(); err != nil {
		return err
	}
	entities, problems := parseTopology(files, c.Tocsin.Topology.Live())
	if err := problems.err(); err != nil {
		return err
	}
	c.entities = entities
	return nil
}

// parseTopology reads the entities of all files, which may depend on each other's, and on those that health
// finds if the topology is live.
func parseTopology(files []File, live bool) (alarm.Entities, Problems) {
	var entities alarm.Entities
	var places []entityPlace
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
		var content topologyFile
		d := &decoder{doc: doc}
		d.decode(doc.root, "", reflect.ValueOf(&content).Elem())
		nodes := items(get(doc.root, "entities"))
		for i, e := range content.Entities {
			if isNull(nodes[i]) {
				continue // refused already
			}
			entities = append(entities, alarm.Entity{Name: e.Name, Kind: e.Kind, Labels: e.Labels, DependsOn: e.DependsOn})
			places = append(places, entityPlace{d, resolve(nodes[i]), "entities" + index(i)})
		}
		problems = append(problems, d.problems...)
		d.problems = nil
	}
	return entities, append(problems, checkEntities(entities, places, live)...)
}

// An entityPlace is where an entity is written.
type entityPlace struct {
	*decoder
	node *yaml.Node
	path string
}

func checkEntities(entities alarm.Entities, places []entityPlace, live bool) Problems {
	first := map[string]entityPlace{}
	var names []string
	for i, e := range entities {
		if _, known := first[e.Name]; !known && e.Name != "" {
			first[e.Name] = places[i]
			names = append(names, e.Name)
		}
	}
	var problems Problems
	for i, e := range entities {
		p := places[i]
		at := func(key string) *yaml.Node {
			if n := get(p.node, key); n != nil {
				return n
			}
			return p.node
		}
		refuse := func(key, what, remedy string) {
			problems = append(problems, p.doc.problem(at(key), join(p.path, key), what, remedy))
		}
		switch other := first[e.Name]; {
		case e.Name == "":
			refuse("name", "no name is given", "give it one that others can depend on")
		case other.node != p.node:
			refuse("name", fmt.Sprintf("%q is given twice", e.Name), fmt.Sprintf("it stands in %s:%d already", other.doc.name, other.node.Line))
		}
		for name, value := range e.Labels {
			if value == "" {
				refuse("labels", fmt.Sprintf("label %s is empty", name), "leave it out: every alert without it would be meant")
			}
		}
		for n, on := range e.DependsOn {
			switch _, known := first[on]; {
			case on == e.Name:
				refuse("depends_on", "it depends on itself", "remove "+on)
			case !known && !live:
				problems = append(problems, p.doc.problem(at("depends_on"), join(p.path, "depends_on"+index(n)), fmt.Sprintf("no entity %q", on), nearest(on, names)))
			}
		}
	}
	return problems
}

// nearest says what could have been meant, without listing a whole topology.
func nearest(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, n := range names {
		if d := distance(name, n); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return "add it, with a name alone if no alert is about it"
	}
	return fmt.Sprintf("did you mean %q?", best)
}
