package source

import (
	"fmt"
	"strings"
)

// problems are what was wrong with the last answers, although a snapshot could be made of them.
type problems struct {
	servers []error  // of those that did not answer well; nil if none did, which is an error of its own
	unknown []string // sorted
	because string   // nothing is known of the first
	invalid int
}

// Problems says what was wrong with the last answers of a source's servers, although its alerts could be
// told from them: a sentence each, for people. It says nothing of what Alerts returned as an error.
func (p *puller) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var said []string
	if n := len(p.problems.servers); n > 0 {
		said = append(said, fmt.Sprintf("%d of its %d servers %s not answer well: %v", n, len(p.servers), plural(n, "does", "do"), joined(p.problems.servers)))
	}
	if n := len(p.problems.unknown); n > 0 {
		text := fmt.Sprintf("not everything is known, and the alerts concerned are held as they were: %s: %s", p.problems.unknown[0], p.problems.because)
		if n > 1 {
			text += fmt.Sprintf(" (and %d more)", n-1)
		}
		said = append(said, text)
	}
	if n := p.problems.invalid; n > 0 {
		said = append(said, fmt.Sprintf("%d %s that it lists %s of no use: without a name, or beyond a limit", n, plural(n, "alert", "alerts"), plural(n, "is", "are")))
	}
	for i, text := range said {
		said[i] = strings.ToUpper(text[:1]) + text[1:] + "."
	}
	return said
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}
