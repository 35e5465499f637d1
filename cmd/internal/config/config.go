package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/alarm"
)

// Key is the one top-level key that Alertmanager does not know.
const Key = "tocsin"

// A Config is a valid configuration.
type Config struct {
	// Alertmanager is everything but the section tocsin:, with the paths that Alertmanager takes
	// relative to its file made absolute.
	Alertmanager *amconfig.Config

	// Tocsin is the section tocsin:, or its defaults; HasTocsin says whether there is one.
	Tocsin    Tocsin
	HasTocsin bool

	// Hash changes when the text of one of the files does. It says nothing of the files that they
	// name.
	Hash string

	// Warnings are about what is valid and has no effect.
	Warnings Problems

	paths    []string // the files that were read
	original string
	entities alarm.Entities // of the topology
}

// A File is the name and the text of one file.
type File struct {
	Name string
	Text []byte
}

// Load reads and parses alertmanager.yml at path and, unless tocsinPath is empty, the file with the
// section tocsin:. The files of storage.dsn_file, topology.files and health.target_files are
// read too.
func Load(path, tocsinPath string) (*Config, error) {
	main, err := readFile(path)
	if err != nil {
		return nil, err
	}
	var own *File
	if tocsinPath != "" {
		f, err := readFile(tocsinPath)
		if err != nil {
			return nil, err
		}
		own = &f
	}
	c, err := Parse(main, own)
	if err != nil {
		return nil, err
	}
	if err := c.readDSN(); err != nil {
		return nil, err
	}
	if err := c.readTopology(); err != nil {
		return nil, err
	}
	if err := c.readTargets(); err != nil {
		return nil, err
	}
	return c, nil
}

func readFile(path string) (File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return File{}, fmt.Errorf("read configuration: %w", err)
	}
	return File{Name: path, Text: text}, nil
}

// readDSN reads the file that holds the DSN.
func (c *Config) readDSN() error {
	s := &c.Tocsin.Storage
	if s.DSNFile == "" {
		return nil
	}
	text, err := os.ReadFile(s.DSNFile)
	if err != nil {
		return fmt.Errorf("read storage.dsn_file: %w", err)
	}
	s.DSN = Secret(strings.TrimSpace(string(text)))
	file, what := parseDSN(s.DSN.Reveal())
	if what != "" {
		return Problems{{File: s.DSNFile, Line: 1, What: what, Remedy: dsnRemedy}}
	}
	s.SQLite = absolute(s.DSNFile, file)
	return nil
}

// Parse parses the text of an alertmanager.yml and, unless own is nil, of the file with the section
// tocsin:. It reads nothing; the names are for messages and for relative paths.
func Parse(main File, own *File) (*Config, error) {
	doc := newDocument(main.Name, main.Text)
	section, rest, problems := cut(doc, string(main.Text))
	if section != nil && rest == "" {
		return nil, problems.err()
	}
	am, amProblems := parseAlertmanager(doc, rest)
	problems = append(problems, amProblems...)
	c := &Config{Alertmanager: am, HasTocsin: section != nil, Hash: hash(main, own), paths: []string{main.Name}}

	sectionDoc, path := doc, Key
	if own != nil {
		c.paths = append(c.paths, own.Name)
		ownDoc := newDocument(own.Name, own.Text)
		ownSection, ownPath, ownProblems := ownFile(ownDoc)
		problems = append(problems, ownProblems...)
		if section != nil {
			problems = append(problems, doc.problem(section.key, Key, "the section stands in "+own.Name+" too", "keep one of the two"))
		} else if ownSection != nil {
			section, sectionDoc, path = &entry{value: ownSection}, ownDoc, ownPath
		}
		c.HasTocsin = true
	}
	c.Tocsin.setDefaults()
	if section != nil {
		var found Problems
		c.Tocsin, found = parseTocsin(sectionDoc, section.value, path, names(get(doc.root, "receivers")))
		problems = append(problems, found...)
		problems = append(problems, pagedTwice(sectionDoc, section.value, path, c.Tocsin.Receivers, get(doc.root, "receivers"))...)
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	c.Warnings = warnings(doc)
	c.original = original(am.String(), doc.root)
	return c, nil
}

// cut takes the section tocsin: out of the text: its lines become comments. If they have other keys
// on them, rest is empty.
func cut(d *document, text string) (section *entry, rest string, problems Problems) {
	if d.root == nil {
		return nil, text, nil // not YAML, or empty: Alertmanager says what it thinks of that
	}
	if second := get(d.second, Key); second != nil {
		problems = append(problems, d.problem(second, Key, "a second document is never read", "move the section above the line ---"))
	}
	top := entries(d.root)
	spans := d.spans(d.root, d.end())
	lines := slices.Clone(d.lines)
	for i := range top {
		if top[i].key.Value != Key {
			continue
		}
		if spans == nil {
			return &top[i], "", append(problems, d.problem(top[i].key, Key, "not in block style",
				"let each top-level key begin a line, or move the section to a file of its own (--tocsin.config.file)"))
		}
		for n := spans[i].from; n < spans[i].to; n++ {
			lines[n-1] = "#\n"
		}
		if section != nil {
			problems = append(problems, d.problem(top[i].key, Key, "key given twice", fmt.Sprintf("it stands in line %d already", section.key.Line)))
			continue
		}
		section = &top[i]
	}
	if section == nil {
		return nil, text, problems
	}
	return section, strings.Join(lines, ""), problems
}

// ownFile returns the section that a file of its own holds, and the path of its top level.
func ownFile(d *document) (section *yaml.Node, path string, problems Problems) {
	switch {
	case d.err != nil:
		return nil, "", Problems{yamlProblem(d, d.err)}
	case d.second != nil:
		problems = append(problems, d.problem(d.second, "", "a second document is never read", "remove the line --- and join the two"))
	case d.root == nil:
		return nil, "", nil // an empty file: the defaults
	}
	if top := entries(d.root); len(top) == 1 && top[0].key.Value == Key {
		return top[0].value, Key, problems
	}
	return d.root, "", problems
}

// warnings names the sections of Alertmanager's part that tocsin does not act on.
func warnings(d *document) Problems {
	var ws Problems
	for _, e := range entries(d.root) {
		switch e.key.Value {
		case "tracing", "event_recorder":
			ws = append(ws, d.problem(e.key, e.key.Value, "valid, and without effect in tocsin", ""))
		}
	}
	return ws
}

func hash(main File, own *File) string {
	h := sha256.New()
	h.Write(main.Text)
	if own != nil {
		h.Write([]byte{0xff}) // which is in no YAML
		h.Write(own.Text)
	}
	return hex.EncodeToString(h.Sum(nil))
}
