package discovery

import (
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

// Topology returns what the results say of what depends on what, sorted by name:
//
//   - service/<cluster>/<namespace>/<service>, with the labels cluster, namespace and service, depends on
//     the first level of its document's tree: on another service if the dependency's data names its
//     address or the dependency has its name and namespace; on address/<cluster>/<host> if it names
//     another; else on dependency/<cluster>/<namespace>/<service>/<name>, which is its own.
//   - pod/<cluster>/<namespace>/<pod> depends on node/<cluster>/<node>. A service depends on a node if all
//     of its pods run there.
func Topology(results []Health) alarm.Entities {
	parts := make([]part, len(results))
	for i := range results {
		parts[i] = partOf(&results[i])
	}
	return entities(parts, nil)
}

// A part is what one service brings to the topology.
type part struct {
	key  Key
	uses []use
	pods []placed
}

// A use is a dependency on the first level of a document.
type use struct{ name, kind, host string }

// A placed is a pod on a node.
type placed struct{ pod, node string }

func partOf(h *Health) part {
	return part{key: h.Target.Key(), pods: podsOf(&h.Target), uses: usesOf(h.Nodes)}
}

func usesOf(nodes []Node) []use {
	var uses []use
	for i := range nodes {
		n := &nodes[i]
		if n.Absent > 0 {
			continue
		}
		name := n.Name
		if n.Shared != "" {
			name = n.Shared
		}
		uses = append(uses, use{name, n.Kind, hostOf(n)})
	}
	return uses
}

func podsOf(t *Target) []placed {
	if t.Workload == nil {
		return nil
	}
	var pods []placed
	for _, pod := range t.Workload.Pods {
		if pod.Node != "" {
			pods = append(pods, placed{pod.Name, pod.Node})
		}
	}
	return pods
}

// hostOf returns the host that a dependency's data names, or nothing.
func hostOf(n *Node) string {
	for _, kv := range n.Data {
		key := kv.Key
		if dot := strings.LastIndexByte(key, '.'); dot >= 0 {
			key = key[dot+1:]
		}
		switch fold(key) {
		case "url", "uri", "host", "hostname", "address", "endpoint", "server":
		default:
			continue
		}
		if u, err := url.Parse(kv.Value); err == nil && u.Hostname() != "" {
			return strings.ToLower(u.Hostname())
		}
		host := kv.Value
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if host != "" && !strings.ContainsAny(host, " /:,;=@?") {
			return strings.ToLower(host)
		}
	}
	return ""
}

func entities(parts []part, aliases Aliases) alarm.Entities {
	services := make(map[Key]string, len(parts)) // by their own names and by those that they are compared by
	for i := range parts {
		k := parts[i].key
		services[k] = entityName("service", k.Cluster, k.Namespace, k.Service)
	}
	for i := range parts {
		k := parts[i].key
		if k.Service = aliases.Of(k.Service); services[k] == "" {
			services[k] = services[parts[i].key]
		}
	}
	find := func(k Key) string {
		if name := services[k]; name != "" {
			return name
		}
		k.Service = aliases.Of(k.Service)
		return services[k]
	}
	all := map[string]*alarm.Entity{}
	entity := func(name, kind string, labels model.LabelSet) *alarm.Entity {
		e := all[name]
		if e == nil {
			e = &alarm.Entity{Name: name, Kind: kind, Labels: labels}
			all[name] = e
		}
		return e
	}
	for i := range parts {
		p := &parts[i]
		cluster, namespace := model.LabelValue(p.key.Cluster), model.LabelValue(p.key.Namespace)
		e := entity(services[p.key], "service", model.LabelSet{"cluster": cluster, "namespace": namespace, "service": model.LabelValue(p.key.Service)})
		for _, u := range p.uses {
			name := find(u.service(p.key))
			switch {
			case name == e.Name:
				continue
			case name != "":
			case u.host != "":
				name = entityName("address", p.key.Cluster, u.host)
				entity(name, u.kind, model.LabelSet{"cluster": cluster, "address": model.LabelValue(u.host)})
			default:
				alias := aliases.Of(u.name)
				name = entityName("dependency", p.key.Cluster, p.key.Namespace, p.key.Service, alias)
				entity(name, u.kind, model.LabelSet{
					"cluster": cluster, "namespace": namespace, "service": model.LabelValue(p.key.Service), "dependency": model.LabelValue(alias),
				})
			}
			e.DependsOn = append(e.DependsOn, name)
		}
		nodes := map[string]bool{}
		for _, pl := range p.pods {
			node := entityName("node", p.key.Cluster, pl.node)
			nodes[node] = true
			entity(node, "node", model.LabelSet{"cluster": cluster, "node": model.LabelValue(pl.node)})
			pod := entity(entityName("pod", p.key.Cluster, p.key.Namespace, pl.pod), "pod",
				model.LabelSet{"cluster": cluster, "namespace": namespace, "pod": model.LabelValue(pl.pod)})
			pod.DependsOn = append(pod.DependsOn, node)
		}
		if len(nodes) == 1 {
			e.DependsOn = slices.AppendSeq(e.DependsOn, maps.Keys(nodes))
		}
	}
	sorted := make(alarm.Entities, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e := all[name]
		slices.Sort(e.DependsOn)
		e.DependsOn = slices.Compact(e.DependsOn)
		sorted = append(sorted, *e)
	}
	return sorted
}

func entityName(kind string, parts ...string) string {
	for i := range parts {
		parts[i] = pathElement(parts[i])
	}
	return kind + "/" + strings.Join(parts, "/")
}

// service returns the key of the service that a dependency may be, by the names that cluster DNS gives:
// a, a.namespace, a.namespace.svc, a.namespace.svc.cluster.local.
func (u use) service(of Key) Key {
	if u.host == "" {
		return Key{of.Cluster, of.Namespace, u.name}
	}
	name, rest, dotted := strings.Cut(u.host, ".")
	if !dotted {
		return Key{of.Cluster, of.Namespace, name}
	}
	namespace, rest, dotted := strings.Cut(rest, ".")
	if dotted && rest != "svc" && !strings.HasPrefix(rest, "svc.") {
		return Key{}
	}
	return Key{of.Cluster, namespace, name}
}

// Entities returns the topology of all services on the board.
func (b *Board) Entities() []alarm.Entity { return b.Topology(true, true) }

// Topology is [Board.Entities] with only what documents say, or only what is known of workloads.
func (b *Board) Topology(documents, workloads bool) alarm.Entities {
	b.mu.Lock()
	parts := make([]part, 0, len(b.services))
	for _, k := range slices.SortedFunc(maps.Keys(b.services), Key.Compare) {
		p := b.services[k].part
		if !documents {
			p.uses = nil
		}
		if !workloads {
			p.pods = nil
		}
		parts = append(parts, p)
	}
	b.mu.Unlock()
	return entities(parts, b.opts.Aliases)
}

// SetTree says what the document of a service has, for a board with [BoardOptions.TreesApart].
func (b *Board) SetTree(k Key, nodes []Node) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.services[k]; s != nil {
		s.part.uses, s.read = usesOf(nodes), true
	}
}

// Unread returns the services of which no document was read since the start, sorted: what they depend on is
// not known.
func (b *Board) Unread() []Key {
	b.mu.Lock()
	defer b.mu.Unlock()
	var keys []Key
	for k, s := range b.services {
		if !s.read {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, Key.Compare)
	return keys
}
