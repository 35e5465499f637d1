package config

import (
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// A decoder turns the tree below tocsin: into Go values and goes on after a problem. It takes the
// place of yaml's own, which has no paths, stops at the first bad scalar, and forgets KnownFields
// below an UnmarshalYAML.
type decoder struct {
	doc      *document
	problems Problems
}

// A defaulter is a struct with defaults other than zero values. setDefaults is called before
// anything is decoded into it.
type defaulter interface{ setDefaults() }

// A selfDecoder has several forms, and reads them itself.
type selfDecoder interface {
	decodeNode(d *decoder, n *yaml.Node, path string)
}

func (d *decoder) refuse(n *yaml.Node, path, what, remedy string) {
	d.problems = append(d.problems, d.doc.problem(n, path, what, remedy))
}

// decode fills v from n. A null leaves v as it is.
func (d *decoder) decode(n *yaml.Node, path string, v reflect.Value) {
	n = resolve(n)
	if isNull(n) {
		return
	}
	if scalar, ok := scalarOf(v.Type()); ok {
		d.scalar(n, path, v, scalar)
		return
	}
	if own, ok := v.Addr().Interface().(selfDecoder); ok {
		own.decodeNode(d, n, path)
		return
	}
	switch v.Type() {
	case reflect.TypeFor[HTTPClient]():
		d.decodeHTTP(n, path, v)
		return
	case reflect.TypeFor[model.LabelSet]():
		d.decodeLabels(n, path, v)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(n, path, v.Elem())
	case reflect.Struct:
		d.mapping(n, path, v)
	case reflect.Slice:
		d.sequence(n, path, v)
	default:
		panic(fmt.Sprintf("config: no way to decode a %s", v.Type()))
	}
}

func (d *decoder) mapping(n *yaml.Node, path string, v reflect.Value) {
	if def, ok := v.Addr().Interface().(defaulter); ok {
		def.setDefaults()
	}
	if n.Kind != yaml.MappingNode {
		d.refuse(n, path, "a mapping is wanted, not "+describe(n), known("", keysOf(v.Type())))
		return
	}
	first := map[string]int{}
	for _, e := range entries(n) {
		name := e.key.Value
		if line, twice := first[name]; twice {
			d.refuse(e.key, join(path, name), "key given twice", fmt.Sprintf("it stands in line %d already", line))
			continue
		}
		first[name] = e.key.Line
		field, ok := fieldOf(v, name)
		if !ok || e.key.Kind != yaml.ScalarNode {
			d.refuse(e.key, path, fmt.Sprintf("unknown key %q", name), known(name, keysOf(v.Type())))
			continue
		}
		d.decode(e.value, join(path, name), field)
	}
}

func (d *decoder) sequence(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.refuse(n, path, "a list is wanted, not "+describe(n), "write - before each entry")
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		if isNull(item) {
			d.refuse(item, join(path, index(i)), "the entry is empty", "remove it")
		}
		d.decode(item, join(path, index(i)), list.Index(i))
	}
	v.Set(list)
}

func (d *decoder) scalar(n *yaml.Node, path string, v reflect.Value, s scalar) {
	if n.Kind != yaml.ScalarNode {
		d.refuse(n, path, "a single value is wanted, not "+describe(n), s.remedy)
		return
	}
	value, ok := s.parse(n.Value)
	if !ok {
		d.refuse(n, path, fmt.Sprintf("%q is no %s", n.Value, s.noun), s.remedy)
		return
	}
	v.Set(reflect.ValueOf(value))
}

// decodeLabels fills a label set.
func (d *decoder) decodeLabels(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.refuse(n, path, "a mapping is wanted, not "+describe(n), "write labels: {name: value}")
		return
	}
	labels := model.LabelSet{}
	for _, e := range entries(n) {
		name, ok := parseLabelName(e.key.Value)
		value := resolve(e.value)
		switch {
		case !ok:
			d.refuse(e.key, path, fmt.Sprintf("%q is no label name", e.key.Value), "write one such as cluster")
		case value.Kind != yaml.ScalarNode:
			d.refuse(value, join(path, e.key.Value), "a single value is wanted, not "+describe(value), "write text")
		default:
			labels[name.(model.LabelName)] = model.LabelValue(value.Value)
		}
	}
	v.Set(reflect.ValueOf(labels))
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a single value" // which may be a secret in the wrong place
	}
}

// A scalar says how one type is written.
type scalar struct {
	noun, remedy string
	parse        func(string) (any, bool)
}

// scalarOf returns how a type is written, or false if it is no scalar.
func scalarOf(t reflect.Type) (scalar, bool) {
	switch t {
	case reflect.TypeFor[string]():
		return scalar{noun: "text", parse: func(s string) (any, bool) { return s, true }}, true
	case reflect.TypeFor[Secret]():
		return scalar{noun: "text", parse: func(s string) (any, bool) { return Secret(s), true }}, true
	case reflect.TypeFor[bool]():
		return scalar{"truth value", "write true or false", parseBool}, true
	case reflect.TypeFor[int]():
		return scalar{"number", "write one such as 50", parseNumber}, true
	case reflect.TypeFor[time.Duration]():
		return scalar{"duration", "write one such as 30s, 5m or 90d", parseDuration}, true
	case reflect.TypeFor[Size]():
		return scalar{"size", "write one such as 64MB", parseSize}, true
	case reflect.TypeFor[model.LabelName]():
		return scalar{"label name", "write one such as cluster", parseLabelName}, true
	case reflect.TypeFor[matcher.Matchers]():
		return scalar{"matcher", `write one such as 'severity="critical"'`, parseMatchers}, true
	case reflect.TypeFor[slog.Level]():
		return scalar{"level", "write debug, info, warn or error", parseLevel}, true
	}
	return scalar{}, false
}

func parseBool(s string) (any, bool) { return s == "true", s == "true" || s == "false" }

func parseNumber(s string) (any, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil
}

func parseDuration(s string) (any, bool) {
	d, err := model.ParseDuration(s)
	return time.Duration(d), err == nil
}

func parseLabelName(s string) (any, bool) {
	return model.LabelName(s), matcher.ValidName(s)
}

func parseMatchers(s string) (any, bool) {
	ms, err := matcher.Parse(s)
	return ms, err == nil && len(ms) > 0
}

func parseLevel(s string) (any, bool) {
	switch s {
	case "debug":
		return slog.LevelDebug, true
	case "info":
		return slog.LevelInfo, true
	case "warn":
		return slog.LevelWarn, true
	case "error":
		return slog.LevelError, true
	}
	return nil, false
}

// keysOf returns the YAML keys of a struct type, those of inlined structs among them; of anything
// else, none.
func keysOf(t reflect.Type) []string {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for f := range yamlFields(t) {
		keys = append(keys, f)
	}
	return keys
}

// fieldOf returns the field of a struct that a key names.
func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for name, f := range yamlFields(v.Type()) {
		if name == key {
			return v.FieldByIndex(f.Index), true
		}
	}
	return reflect.Value{}, false
}

// yamlFields yields the fields that have a YAML key of their own, with their key.
func yamlFields(t reflect.Type) func(yield func(string, reflect.StructField) bool) {
	return func(yield func(string, reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(t) {
			tag, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if tag == "" || tag == "-" {
				continue
			}
			if !yield(tag, f) {
				return
			}
		}
	}
}
