package config

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// Original returns Alertmanager's part as API v2 shows it: secrets hidden, without the section
// tocsin:, and without the defaults of keys that are not in the file. Alertmanager shows those, too;
// then an older amtool, which does not know all of them, cannot read it.
func (c *Config) Original() string { return c.original }

// original prints what Alertmanager prints, less what is not written.
func original(printed string, written *yaml.Node) string {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(printed), &doc); err != nil || len(doc.Content) != 1 {
		return printed
	}
	keepWritten(doc.Content[0], written)
	text, err := yaml.Marshal(&doc)
	if err != nil {
		return printed
	}
	return string(text)
}

// keepWritten takes the keys out of n that the written mapping does not have, at every depth. A list
// that has another length than the written one is left as it is.
func keepWritten(n, written *yaml.Node) {
	written = resolve(written)
	switch {
	case written == nil || n.Kind != written.Kind:
	case n.Kind == yaml.SequenceNode && len(n.Content) == len(written.Content):
		for i := range n.Content {
			keepWritten(n.Content[i], written.Content[i])
		}
	case n.Kind == yaml.MappingNode && get(written, "<<") == nil: // a merged mapping is left as it is
		var kept []*yaml.Node
		for _, e := range entries(n) {
			w := entries(written)
			i := slices.IndexFunc(w, func(o entry) bool { return o.key.Value == e.key.Value })
			if i < 0 {
				continue
			}
			keepWritten(e.value, w[i].value)
			kept = append(kept, e.key, e.value)
		}
		n.Content = kept
	}
}
