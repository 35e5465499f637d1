package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/alarm"
)

// Severities are the values of the severity label, the worst first, as a mapping in that order.
type Severities []alarm.Severity

func (s *Severities) decodeNode(d *decoder, n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode {
		d.refuse(n, path, "a mapping is wanted, not "+describe(n), "write critical: {page: true}, the worst first")
		return
	}
	for _, e := range entries(n) {
		var keys struct {
			Page     bool   `yaml:"page"`
			Priority string `yaml:"priority"`
		}
		at := join(path, e.key.Value)
		d.decode(e.value, at, reflect.ValueOf(&keys).Elem())
		switch {
		case e.key.Kind != yaml.ScalarNode || e.key.Value == "":
			d.refuse(e.key, path, "a severity has no name", "write critical: {page: true}")
			continue
		case slices.ContainsFunc(*s, func(o alarm.Severity) bool { return o.Name == e.key.Value }):
			d.refuse(e.key, at, "key given twice", "remove one: their order says what is worse")
			continue
		case keys.Priority != "" && !regexp.MustCompile(`^P[1-5]$`).MatchString(keys.Priority):
			d.refuse(e.value, join(at, "priority"), fmt.Sprintf("%q is no priority", keys.Priority), "write P1 to P5")
		}
		*s = append(*s, alarm.Severity{Name: e.key.Value, Page: keys.Page, Priority: keys.Priority})
	}
}

// Severities returns what severities there are, and the label that they are in.
func (c *Config) Severities() alarm.Severities {
	return alarm.Severities{Label: c.Tocsin.SeverityLabel, Values: c.Tocsin.Severities}
}
