package depgraph

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/prometheus/common/model"
)

// RollupData is what the templates of a [Raise] see.
type RollupData struct {
	Name    string              // of the roll-up
	Labels  map[string]string   // of the raised alert
	Count   int                 // how many fire
	Total   int                 // how many there are, or 0 if nobody knows
	Percent float64             // the share that fires, or 0
	Members []map[string]string // the labels of those that fire, sorted by fingerprint
}

// Values returns the values that a label has among the members, each once, sorted.
func (d RollupData) Values(label string) []string {
	values := map[string]struct{}{}
	for _, m := range d.Members {
		if v := m[label]; v != "" {
			values[v] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(values))
}

// An annotation is a template, compiled.
type annotation struct {
	name model.LabelName
	text *template.Template
}

// annotationAtMost bounds the text that a template makes, in bytes.
const annotationAtMost = 16 << 10

// compileAnnotations parses the templates, and tries them.
func compileAnnotations(r *Rollup, one Raise) ([]annotation, error) {
	labels := one.labels(r.Name, nil)
	member := model.LabelSet{}
	for _, by := range r.By {
		labels[by], member[by] = "x", "x"
	}
	sample := RollupData{Name: r.Name, Labels: plain(labels), Count: 1, Total: 2, Percent: 50, Members: []map[string]string{plain(member)}}
	var all []annotation
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(one.Annotations)) {
		t, err := template.New(string(name)).Option("missingkey=zero").Funcs(template.FuncMap{"join": strings.Join}).Parse(one.Annotations[name])
		if err == nil {
			_, err = render(t, sample)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("annotation %s: %w", name, err))
			continue
		}
		all = append(all, annotation{name, t})
	}
	return all, errors.Join(wrong...)
}

func render(t *template.Template, d RollupData) (string, error) {
	var b boundedText
	if err := t.Execute(&b, d); err != nil {
		return "", err
	}
	return string(b.text), nil
}

// boundedText takes text up to annotationAtMost bytes.
type boundedText struct{ text []byte }

func (b *boundedText) Write(p []byte) (int, error) {
	if len(b.text)+len(p) > annotationAtMost {
		return 0, fmt.Errorf("more than %d bytes", annotationAtMost)
	}
	b.text = append(b.text, p...)
	return len(p), nil
}

// annotate renders the annotations. One that fails says so, for nobody else is there to be told.
func (r *raise) annotate(d RollupData) model.LabelSet {
	if len(r.annotations) == 0 {
		return nil
	}
	set := model.LabelSet{}
	for _, a := range r.annotations {
		text, err := render(a.text, d)
		if err != nil {
			text = "template: " + err.Error()
		}
		set[a.name] = model.LabelValue(text)
	}
	return set
}

func plain(ls model.LabelSet) map[string]string {
	m := make(map[string]string, len(ls))
	for name, value := range ls {
		m[string(name)] = string(value)
	}
	return m
}
