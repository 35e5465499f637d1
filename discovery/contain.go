package discovery

import (
	"strconv"
	"strings"

	"github.com/valyala/fastjson"
)

// container reads a member that holds dependencies, and says whether it did. This is where the formats
// differ.
func (rd *reader) container(n *Node, m member, depth int) bool {
	root := n.Name == "" || rd.embedded > 0
	switch fold(m.name) {
	case "entries", "results", "components":
		return rd.children(n, m.value, depth, false)
	case "checks":
		if rd.format == HealthJSON {
			return rd.measurements(n, m.value, depth)
		}
		return rd.children(n, m.value, depth, false)
	case "details":
		switch rd.format {
		case HealthJSON:
			return rd.measurements(n, m.value, depth)
		case GoHealth, Terminus:
			return root && rd.children(n, m.value, depth, rd.format == Terminus)
		case Spring2:
			return rd.springDetails(n, m.value, depth)
		}
	case "failures":
		return rd.format == HealthGo && rd.children(n, m.value, depth, false)
	case "system", "component":
		return rd.format == HealthGo && root // the runtime's counters, and what it calls itself
	case "info", "error":
		switch {
		case rd.format == ASPNet && isType(m.value, fastjson.TypeArray):
			return rd.children(n, m.value, depth, false)
		case rd.format == Terminus && root && isType(m.value, fastjson.TypeObject):
			return rd.children(n, m.value, depth, true) // details has them all once more, or is not there
		}
	case "version", "releaseid", "serviceid":
		return n.Name == "" // the report has them
	default:
		if rd.format == Spring1 && hasStatus(m.value) {
			n.Children = append(n.Children, rd.entry(m.name, m.value, depth+1))
			return true
		}
	}
	return false
}

// children reads an object of entries, or an array of entries with names. With onlyNew, names that are
// there already are left out.
func (rd *reader) children(n *Node, v *fastjson.Value, depth int, onlyNew bool) bool {
	if depth >= maxDepth {
		rd.report.Truncated = true
		return false
	}
	add := func(name string, v *fastjson.Value) {
		child := rd.entry(name, v, depth+1)
		for i := range n.Children {
			if onlyNew && n.Children[i].Name == child.Name {
				return
			}
		}
		n.Children = append(n.Children, child)
	}
	switch {
	case isType(v, fastjson.TypeObject):
		o, _ := objectOf(v)
		for _, m := range o {
			add(m.name, m.value)
		}
		return true
	case isType(v, fastjson.TypeArray):
		for _, e := range v.GetArray() {
			o, ok := objectOf(e)
			if !ok {
				continue
			}
			add(nameOf(o), e)
		}
		return true
	}
	return false
}

func nameOf(o object) string {
	for _, name := range [...]string{"name", "component", "key", "id"} {
		if s, ok := text(o.get(name)); ok && s != "" {
			return s
		}
	}
	return ""
}

// springDetails reads Spring Boot 2.0's details: what has a status is a dependency, the rest is data.
func (rd *reader) springDetails(n *Node, v *fastjson.Value, depth int) bool {
	o, ok := objectOf(v)
	if !ok || depth >= maxDepth {
		return false
	}
	failing := ""
	for _, m := range o {
		if hasStatus(m.value) {
			n.Children = append(n.Children, rd.entry(m.name, m.value, depth+1))
			continue
		}
		rd.attribute(n, m, depth+1, &failing)
	}
	n.Message = join(n.Message, failing)
	return true
}

// measurements reads health+json's checks: keys are component:measurement, values are arrays with one
// element for each instance. A component with a single measurement of a single instance is one node.
func (rd *reader) measurements(n *Node, v *fastjson.Value, depth int) bool {
	o, ok := objectOf(v)
	if !ok {
		return rd.children(n, v, depth, false)
	}
	if depth+2 >= maxDepth {
		rd.report.Truncated = true
		return false
	}
	components := map[string]int{} // positions in n.Children
	for _, m := range o {
		component, measurement, _ := strings.Cut(m.name, ":")
		name := cleanName(component)
		at, known := components[name]
		if !known {
			at = len(n.Children)
			components[name] = at
			n.Children = append(n.Children, Node{Name: name, Duration: NotGiven})
		}
		c := &n.Children[at]
		instances := rd.instances(cleanName(measurement), m.value, depth+2)
		c.Children = append(c.Children, group(cleanName(measurement), instances, measurement == "")...)
	}
	for i := range n.Children {
		if c := &n.Children[i]; c.State == None && c.RawStatus == "" {
			*c = fold1(*c)
		}
	}
	return true
}

// instances reads the elements of one measurement.
func (rd *reader) instances(name string, v *fastjson.Value, depth int) []Node {
	if !isType(v, fastjson.TypeArray) {
		n := rd.entry(name, v, depth)
		return []Node{unmeasured(n, v)}
	}
	elements := v.GetArray()
	nodes := make([]Node, 0, len(elements))
	for i, e := range elements {
		o, _ := objectOf(e)
		label := "#" + strconv.Itoa(i+1)
		for _, id := range [...]string{"componentId", "node"} {
			if s, ok := text(o.get(id)); ok && s != "" {
				label = s
				break
			}
		}
		nodes = append(nodes, unmeasured(rd.entry(label, e, depth), e))
	}
	return nodes
}

// unmeasured takes the state back that an entry without a status was given: a measurement has none.
func unmeasured(n Node, v *fastjson.Value) Node {
	if o, ok := objectOf(v); ok && statusOf(o) == "" {
		n.State = None
	}
	return n
}

// group puts the instances of one measurement below it. One instance is the measurement itself.
func group(measurement string, instances []Node, bare bool) []Node {
	if len(instances) == 1 {
		n := instances[0]
		n.Name = measurement
		return []Node{n}
	}
	if bare {
		return instances
	}
	return []Node{{Name: measurement, Duration: NotGiven, State: Worst(instances), Children: arranged(instances)}}
}

// fold1 makes a component with a single measurement one node, whose kind is the measurement.
func fold1(c Node) Node {
	if len(c.Children) == 1 && len(c.Children[0].Children) == 0 {
		only := c.Children[0]
		if only.Name != "" && only.Name != unnamed {
			only.Kind = only.Name
		}
		only.Name = c.Name
		return only
	}
	c.State = Worst(c.Children)
	c.Children = arranged(c.Children)
	return c
}

func arranged(nodes []Node) []Node {
	arrange(nodes)
	return nodes
}
