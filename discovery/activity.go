package discovery

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/valyala/fastjson"
)

// A Role says whether an environment is the one that serves. Unknown counts as active.
type Role uint8

// The roles.
const (
	RoleUnknown Role = iota
	Active
	Passive
)

// String returns the role's name, which is the value of the label activity for those that are known.
func (r Role) String() string { return [...]string{"unknown", "active", "passive"}[min(r, Passive)] }

// MarshalText returns the role's name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a role's name; what it does not know is unknown.
func (r *Role) UnmarshalText(text []byte) error {
	switch string(text) {
	case "active":
		*r = Active
	case "passive":
		*r = Passive
	default:
		*r = RoleUnknown
	}
	return nil
}

// Life says whether anybody uses an environment.
type Life uint8

// Whether anybody uses it. Unknown counts as live.
const (
	LifeUnknown Life = iota
	Live
	Idle
)

// String returns the name.
func (l Life) String() string { return [...]string{"unknown", "live", "idle"}[min(l, Idle)] }

// MarshalText returns the name.
func (l Life) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads the name; what it does not know is unknown.
func (l *Life) UnmarshalText(text []byte) error {
	switch string(text) {
	case "live":
		*l = Live
	case "idle":
		*l = Idle
	default:
		*l = LifeUnknown
	}
	return nil
}

// Activity is what is known of an environment's part.
type Activity struct {
	Role Role `json:"role,omitempty"`
	Life Life `json:"life,omitempty"`
}

// Or returns a, with what it does not know taken from b.
func (a Activity) Or(b Activity) Activity {
	if a.Role == RoleUnknown {
		a.Role = b.Role
	}
	if a.Life == LifeUnknown {
		a.Life = b.Life
	}
	return a
}

// An ActivityRule says where activity is read. The zero value reads it nowhere. What a query says is
// given to [Board.SetActivity] instead.
type ActivityRule struct {
	Role Clue
	Life Clue
}

// A Clue is a label or a place in the document whose value means yes (active, live) or no (passive,
// idle). A value that means neither says nothing.
type Clue struct {
	// Label is a label of the target.
	Label model.LabelName

	// Pointer is a JSON pointer (RFC 6901) into the document, such as /info/role. A number there means
	// yes if it is above zero. The label is asked first.
	Pointer string

	// Yes and No match values; anchor them. By default, without regard to case, yes is active, primary, live,
	// true, yes, on and 1, and no is passive, standby, secondary, inactive, idle, false, no, off and 0.
	Yes, No *regexp.Regexp
}

var (
	defaultYes = regexp.MustCompile(`^(?i:active|primary|live|true|yes|on|1)$`)
	defaultNo  = regexp.MustCompile(`^(?i:passive|standby|secondary|inactive|idle|false|no|off|0)$`)
)

// Of returns what a target's labels and its document say. Body may be empty.
func (r *ActivityRule) Of(labels model.LabelSet, body []byte) Activity {
	var a Activity
	var root *fastjson.Value
	if len(body) > 0 && (r.Role.Pointer != "" || r.Life.Pointer != "") {
		p := parsers.Get().(*fastjson.Parser)
		if len(body) <= keepParser {
			defer parsers.Put(p)
		}
		root, _ = p.ParseBytes(body) // what cannot be read says nothing
	}
	switch r.Role.read(labels, root) {
	case yes:
		a.Role = Active
	case no:
		a.Role = Passive
	}
	switch r.Life.read(labels, root) {
	case yes:
		a.Life = Live
	case no:
		a.Life = Idle
	}
	return a
}

type answer uint8

const (
	silent answer = iota
	yes
	no
)

func (c *Clue) read(labels model.LabelSet, root *fastjson.Value) answer {
	if c.Label != "" {
		if a := c.meaning(string(labels[c.Label])); a != silent {
			return a
		}
	}
	if c.Pointer == "" || root == nil {
		return silent
	}
	v := pointer(root, c.Pointer)
	s, ok := text(v)
	if !ok {
		return silent
	}
	if v.Type() == fastjson.TypeNumber && c.Yes == nil && c.No == nil {
		if n, err := strconv.ParseFloat(s, 64); err == nil && n > 0 {
			return yes
		}
		return no
	}
	return c.meaning(s)
}

func (c *Clue) meaning(value string) answer {
	isYes, isNo := c.Yes, c.No
	if isYes == nil && isNo == nil {
		isYes, isNo = defaultYes, defaultNo
	}
	switch {
	case value == "":
		return silent
	case isYes != nil && isYes.MatchString(value):
		return yes
	case isNo != nil && isNo.MatchString(value):
		return no
	}
	return silent
}

// pointer follows a JSON pointer, or returns nil.
func pointer(v *fastjson.Value, path string) *fastjson.Value {
	if path == "" || path[0] != '/' {
		return nil
	}
	for element := range strings.SplitSeq(path[1:], "/") {
		element = strings.ReplaceAll(strings.ReplaceAll(element, "~1", "/"), "~0", "~")
		if v = v.Get(element); v == nil {
			return nil
		}
	}
	return v
}
