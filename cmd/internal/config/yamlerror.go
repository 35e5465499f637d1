package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
	"go.yaml.in/yaml/v3"
	yamlv2 "gopkg.in/yaml.v2"
)

// problemsOf returns Alertmanager's error about the whole file, on its lines if it has any.
func problemsOf(d *document, err error) Problems {
	if _, ok := errors.AsType[*yamlv2.TypeError](err); ok {
		return typeProblems(d, err, span{1, len(d.lines) + 1}, 0)
	}
	return Problems{yamlProblem(d, err)}
}

// yamlProblem returns a syntax error. It is the decoder's sentence, in which the line, if it is
// known, is only text.
func yamlProblem(d *document, err error) Problem {
	p := Problem{File: d.name, What: strings.TrimPrefix(err.Error(), "yaml: ")}
	if line, what, ok := cutLine(p.What); ok {
		p.Line, p.What = line, what
	}
	return p
}

// typeProblems takes the list in a yaml.TypeError apart. Its lines are those of the text that was
// decoded; with shift added they are those of the file, and what is not within s is about the
// minimal configuration around it.
func typeProblems(d *document, err error, s span, shift int) Problems {
	typeError, ok := errors.AsType[*yamlv2.TypeError](err)
	if !ok {
		return nil
	}
	var ps Problems
	for _, sentence := range typeError.Errors {
		line, what, ok := cutLine(sentence)
		line += shift
		if !ok || line < s.from || line >= s.to {
			continue
		}
		p := Problem{File: d.name, Line: line, What: what}
		field := unknownField(what)
		at, _ := locate(d.root, place{typ: reflect.TypeFor[amconfig.Config]()}, line, field)
		p.Path = at.path
		if field != "" {
			p.What, p.Remedy = fmt.Sprintf("unknown key %q", field), known(field, keysOf(at.typ))
		}
		ps = append(ps, p)
	}
	return ps
}

// cutLine takes the words "line 12: " from the front of a sentence of the YAML decoder, which has
// no other way to say it.
func cutLine(sentence string) (line int, what string, ok bool) {
	rest, ok := strings.CutPrefix(sentence, "line ")
	if !ok {
		return 0, sentence, false
	}
	digits, what, ok := strings.Cut(rest, ": ")
	if !ok {
		return 0, sentence, false
	}
	line, err := strconv.Atoi(digits)
	return line, what, err == nil
}

// unknownField returns the key in the sentence "field x not found in type y", or nothing.
func unknownField(sentence string) string {
	rest, ok := strings.CutPrefix(sentence, "field ")
	if !ok {
		return ""
	}
	field, _, ok := strings.Cut(rest, " not found in type ")
	if !ok {
		return ""
	}
	return field
}

// A place is a path and the type of what Alertmanager decodes there, or nil.
type place struct {
	path string
	typ  reflect.Type
}

// locate finds what begins on a line: the mapping with an unknown field there, or, if field is
// empty, the innermost value.
func locate(n *yaml.Node, at place, line int, field string) (place, bool) {
	if n == nil {
		return place{}, false
	}
	if at.typ != nil && at.typ.Kind() == reflect.Pointer {
		at.typ = at.typ.Elem()
	}
	switch n.Kind {
	case yaml.MappingNode:
		for _, e := range entries(n) {
			if field != "" && e.key.Line == line && e.key.Value == field {
				return at, true
			}
			below := place{join(at.path, e.key.Value), typeBelow(at.typ, e.key.Value)}
			if found, ok := locate(e.value, below, line, field); ok {
				return found, true
			}
			if field == "" && e.key.Line == line {
				return below, true
			}
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if found, ok := locate(item, place{at.path + index(i), typeBelow(at.typ, "")}, line, field); ok {
				return found, true
			}
		}
	case yaml.ScalarNode:
		return at, field == "" && n.Line == line
	}
	return place{}, false
}

// typeBelow returns the type of a field, or of the elements of a list or map.
func typeBelow(t reflect.Type, key string) reflect.Type {
	if t == nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Map:
		return t.Elem()
	case reflect.Struct:
		for name, f := range yamlFields(t) {
			if name == key {
				return f.Type
			}
		}
	}
	return nil
}
