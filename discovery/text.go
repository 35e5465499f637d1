package discovery

import "strings"

// parseText reads a body that is not JSON: a single word, or the lines of Kubernetes' verbose checks.
func parseText(r *Report, body string) {
	if strings.Contains(body, "[+]") || strings.Contains(body, "[-]") {
		if nodes := checkLines(body); len(nodes) > 0 {
			r.Format, r.Nodes = Kube, nodes
			if len(nodes) > maxNodes {
				budget := maxNodes
				r.Nodes, r.Truncated = prune(nodes, &budget), true
			}
			return
		}
	}
	word := strings.Trim(body, "\"' \t\r\n.!")
	r.RawStatus = clip(cleanName(word), maxName)
	if word == "1" {
		r.Format, r.State = Text, OK
		return
	}
	if s, known := Word(word); known && len(word) <= maxName {
		r.Format, r.State = Text, s
		return
	}
	r.Format, r.Why, r.RawStatus, r.Message = NoFormat, WhyNotHealth, "", "not a health document: "+clip(prose(body), 120)
}

// checkLines reads lines such as "[+]ping ok" and "[-]etcd failed: reason withheld".
func checkLines(body string) []Node {
	var nodes []Node
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		good, isGood := strings.CutPrefix(line, "[+]")
		bad, isBad := strings.CutPrefix(line, "[-]")
		if !isGood && !isBad {
			continue
		}
		name, rest, _ := strings.Cut(good, " ")
		n := Node{Duration: NotGiven, State: OK, RawStatus: clip(rest, maxName)}
		if isBad {
			name, rest, _ = strings.Cut(bad, " ")
			n.State = Fail
			n.RawStatus, n.Message, _ = strings.Cut(rest, ": ")
			n.RawStatus, n.Message = clip(n.RawStatus, maxName), prose(n.Message)
		}
		n.Name = cleanName(name)
		nodes = append(nodes, n)
	}
	arrange(nodes)
	return nodes
}
