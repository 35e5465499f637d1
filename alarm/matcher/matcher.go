// Package matcher is the label matcher language of Alertmanager as one type.
//
// [Parse] reads what Alertmanager reads: the UTF-8 syntax, with the classic one as its fallback,
// unless [Use] chose otherwise for the whole process. It refuses only empty label names and text
// that is not UTF-8, which no label can have. A [Matchers] value matches a label set when
// each of its matchers does; a label that is absent has the empty value. An [Index] finds, among
// many values that have Matchers, those that match a label set, without trying all of them.
//
// Matchers are immutable and may be shared between goroutines, an Index as long as nobody changes
// it. Parse errors say what is wrong and where in the input; they have no type.
package matcher

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
)

// A Matcher is one test on one label: its Type, Name and Value.
type Matcher = labels.Matcher

// The types of a matcher.
const (
	Equal     = labels.MatchEqual
	NotEqual  = labels.MatchNotEqual
	Regexp    = labels.MatchRegexp
	NotRegexp = labels.MatchNotRegexp
)

// Matchers match a label set when each of them does. None at all match everything.
type Matchers []*Matcher

// New returns a matcher, or an error if the regular expression does not compile.
func New(t labels.MatchType, name, value string) (*Matcher, error) {
	return labels.NewMatcher(t, name, value)
}

// Parse reads matchers such as alertname="X",cluster=~"db-.*", with or without braces.
func Parse(input string) (Matchers, error) {
	ready()
	ms, err := compat.Matchers(input, "tocsin")
	if err != nil {
		return nil, err
	}
	if err := sound(input, ms...); err != nil {
		return nil, err
	}
	return Matchers(ms), nil
}

// ParseOne reads a single matcher, without braces.
func ParseOne(input string) (*Matcher, error) {
	ready()
	m, err := compat.Matcher(input, "tocsin")
	if err != nil {
		return nil, err
	}
	if err := sound(input, m); err != nil {
		return nil, err
	}
	return m, nil
}

// sound refuses what Alertmanager's parsers let pass although no label can have it, and which could
// not be printed, or stored, and read again.
func sound(input string, ms ...*Matcher) error {
	if !utf8.ValidString(input) {
		return fmt.Errorf("matchers are not valid UTF-8: %q", input)
	}
	for _, m := range ms {
		if m.Name == "" {
			return fmt.Errorf("empty label name: %s", input)
		}
	}
	return nil
}

// MustParse is Parse for matchers that are part of the program. It panics if they are wrong.
func MustParse(input string) Matchers {
	ms, err := Parse(input)
	if err != nil {
		panic("matcher: " + input + ": " + err.Error())
	}
	return ms
}

// FromLabels returns matchers that require each of the labels to be what it is here.
func FromLabels(ls model.LabelSet) Matchers {
	ms := make(Matchers, 0, len(ls))
	for name, value := range ls {
		ms = append(ms, &Matcher{Type: Equal, Name: string(name), Value: string(value)})
	}
	slices.SortFunc(ms, compare)
	return ms
}

// Matches says whether each of the matchers matches.
func (ms Matchers) Matches(ls model.LabelSet) bool {
	for _, m := range ms {
		if !m.Matches(string(ls[model.LabelName(m.Name)])) {
			return false
		}
	}
	return true
}

// String prints the matchers as Alertmanager does, and so that Parse reads them again.
func (ms Matchers) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range ms {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(m.String())
	}
	b.WriteByte('}')
	return b.String()
}

// Sorted returns a copy in the order that Alertmanager sorts matchers in: by name, then value, then
// type.
func (ms Matchers) Sorted() Matchers {
	sorted := slices.Clone(ms)
	slices.SortFunc(sorted, compare)
	return sorted
}

func compare(a, b *Matcher) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	if c := strings.Compare(a.Value, b.Value); c != 0 {
		return c
	}
	return int(a.Type) - int(b.Type)
}

// ValidName says whether a label may have this name.
func ValidName(name string) bool {
	ready()
	return compat.IsValidLabelName(model.LabelName(name))
}

// Mode chooses how matchers and label names are read.
type Mode struct {
	Classic    bool // Alertmanager before 0.27
	UTF8Strict bool // no fallback to the classic syntax
}

// Use chooses the mode for the whole process: Alertmanager's packages, which read the configuration,
// know no other way. Call it once, before anything is parsed. The logger is told of input that the
// modes read differently; nil tells nobody.
func Use(logger *slog.Logger, mode Mode) {
	ready()
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	compat.InitFromFlags(logger, flags{mode: mode})
}

// ready replaces the classic mode, which Alertmanager's package starts in, by the one that its
// server starts in.
var ready = sync.OnceFunc(func() {
	compat.InitFromFlags(slog.New(slog.DiscardHandler), featurecontrol.NoopFlags{})
})

type flags struct {
	featurecontrol.NoopFlags
	mode Mode
}

func (f flags) ClassicMode() bool    { return f.mode.Classic }
func (f flags) UTF8StrictMode() bool { return f.mode.UTF8Strict }
