package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"

	amconfig "github.com/prometheus/alertmanager/config"
	commoncfg "github.com/prometheus/common/config"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/alarm/matcher"
)

// parseAlertmanager lets Alertmanager judge its part. rest is the text without the section tocsin:.
func parseAlertmanager(d *document, rest string) (*amconfig.Config, Problems) {
	matcher.ValidName("") // whoever uses matcher first brings Alertmanager's parser into its mode
	am, err := load(rest)
	if err == nil {
		resolvePaths(am, filepath.Dir(d.name))
		return am, nil
	}
	var problems Problems
	if d.root != nil && d.root.Kind == yaml.MappingNode {
		problems = append(crossCheck(d), blame(d)...)
	}
	if len(problems) == 0 {
		problems = problemsOf(d, err)
	}
	return nil, problems
}

// load is Alertmanager's own Load, less what its server would crash on.
func load(text string) (am *amconfig.Config, err error) {
	defer func() {
		if recover() != nil {
			am, err = nil, errors.New("Alertmanager crashes on this, as it does on an empty entry in routes")
		}
	}()
	if am, err = amconfig.Load(text); err != nil {
		return nil, err
	}
	convertRoute(am.Route) // panics if an expression does not compile with anchors around it
	convertInhibitRules(am.InhibitRules)
	for list := range integrations(am) {
		for i := range list.Len() {
			if list.Index(i).IsNil() {
				return nil, errors.New("an entry of a receiver's list is empty")
			}
		}
	}
	return am, nil
}

// integrations yields each list of integrations of each receiver, such as its webhook_configs.
func integrations(am *amconfig.Config) func(yield func(reflect.Value) bool) {
	return func(yield func(reflect.Value) bool) {
		for i := range am.Receivers {
			r := reflect.ValueOf(&am.Receivers[i]).Elem()
			for f := range r.NumField() {
				if r.Field(f).Kind() == reflect.Slice && !yield(r.Field(f)) {
					return
				}
			}
		}
	}
}

// resolvePaths makes the paths that Alertmanager takes relative to its file absolute. Absolute
// rather than joined with dir, because integrations share http_config: Alertmanager joins those
// paths once for each. Like Alertmanager it leaves incident.io's http_config and the *_file keys
// outside of http_config relative to the working directory.
func resolvePaths(am *amconfig.Config, dir string) {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	for i, t := range am.Templates {
		am.Templates[i] = commoncfg.JoinDir(dir, t)
	}
	am.Global.HTTPConfig.SetDirectory(dir)
	for list := range integrations(am) {
		for i := range list.Len() {
			integration := list.Index(i).Elem()
			if integration.Type().Name() == "IncidentioConfig" {
				continue
			}
			field := integration.FieldByName("HTTPConfig")
			if !field.IsValid() {
				continue // e-mail
			}
			field.Interface().(*commoncfg.HTTPClientConfig).SetDirectory(dir)
		}
	}
	for i := range am.EventRecorder.FileOutputs {
		am.EventRecorder.FileOutputs[i].Path = commoncfg.JoinDir(dir, am.EventRecorder.FileOutputs[i].Path)
	}
	for _, out := range am.EventRecorder.WebhookOutputs {
		out.HTTPConfig.SetDirectory(dir)
	}
	for _, out := range am.EventRecorder.KafkaOutputs {
		out.TLSConfig.SetDirectory(dir)
	}
}

// crossCheck finds what is wrong between the sections: names that are missing, given twice or not
// defined.
func crossCheck(d *document) Problems {
	var ps Problems
	if get(d.root, "route") == nil {
		ps = append(ps, Problem{File: d.name, Line: 1, Path: "route", What: "no route is given", Remedy: "add route: {receiver: ...}"})
	}
	receivers := get(d.root, "receivers")
	ps = append(ps, duplicates(d, "receivers", receivers, map[string]*yaml.Node{})...)
	intervals := map[string]*yaml.Node{}
	for _, section := range []string{"mute_time_intervals", "time_intervals"} {
		ps = append(ps, duplicates(d, section, get(d.root, section), intervals)...)
	}
	intervalNames := append(names(get(d.root, "mute_time_intervals")), names(get(d.root, "time_intervals"))...)
	visitRoutes(get(d.root, "route"), "route", func(route *yaml.Node, path string) {
		undefined := func(n *yaml.Node, path, noun string, defined []string) {
			if name := text(n); name != "" && !slices.Contains(defined, name) {
				ps = append(ps, d.problem(n, path, fmt.Sprintf("no %s %q", noun, name), known(name, defined)))
			}
		}
		undefined(get(route, "receiver"), path+".receiver", "receiver", names(receivers))
		for _, key := range []string{"mute_time_intervals", "active_time_intervals"} {
			for i, n := range items(get(route, key)) {
				undefined(n, path+"."+key+index(i), "time interval", intervalNames)
			}
		}
	})
	return ps
}

// duplicates finds names that are given twice. seen holds those that were seen before.
func duplicates(d *document, section string, list *yaml.Node, seen map[string]*yaml.Node) Problems {
	var ps Problems
	for i, item := range items(list) {
		n := get(item, "name")
		name := text(n)
		if name == "" {
			continue
		}
		if first, twice := seen[name]; twice {
			ps = append(ps, d.problem(n, section+index(i)+".name", fmt.Sprintf("%q is given twice", name),
				fmt.Sprintf("rename it, or join it with line %d", first.Line)))
			continue
		}
		seen[name] = n
	}
	return ps
}

// visitRoutes calls visit for a route and for those below it.
func visitRoutes(route *yaml.Node, path string, visit func(route *yaml.Node, path string)) {
	if route == nil {
		return
	}
	visit(route, path)
	for i, child := range items(get(route, "routes")) {
		if child.Kind != yaml.AliasNode { // it could contain itself
			visitRoutes(child, path+".routes"+index(i), visit)
		}
	}
}

// names returns the names of a list of mappings.
func names(list *yaml.Node) []string {
	var ns []string
	for _, item := range items(list) {
		if name := text(get(item, "name")); name != "" {
			ns = append(ns, name)
		}
	}
	return ns
}
