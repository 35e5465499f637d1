package discovery

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

// An Answer is what a health endpoint sent.
type Answer struct {
	Status      int // the HTTP code
	ContentType string
	Body        []byte // decompressed; not modified, and not kept

	// Format is the format that is expected. Empty means that it is detected.
	Format Format

	// Expect are HTTP codes that mean as much as 200.
	Expect []int

	// At is when it came. Times in the document that are more than a day later are not believed. Zero
	// believes all.
	At time.Time
}

// parsers are kept for their buffers, but for those that a huge body blew up.
var parsers = sync.Pool{New: func() any { return new(fastjson.Parser) }}

const keepParser = 256 << 10

var statusWord = regexp.MustCompile(`"(?i:status|outcome|state)"\s*:\s*"([^"]{0,64})"`)

// Parse reads a health document of any known format. It never fails: an answer that is no health
// document is judged by its HTTP code. How the format is told, what a state follows from, what the hash
// covers and which limits hold is in the package's documentation.
func Parse(a Answer) Report {
	r := Report{HTTPStatus: a.Status, Duration: NotGiven, Operations: NotGiven, FailedOperations: NotGiven}
	body := utf8Body(bytes.TrimPrefix(a.Body, []byte("\xef\xbb\xbf")), a.ContentType)
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		r.Format = NoFormat
	case body[0] == '<':
		r.Format, r.Why, r.Message = NoFormat, WhyNotHealth, "not a health document: it is HTML"
	case body[0] == '{' || body[0] == '[' && !bytes.HasPrefix(body, []byte("[+]")) && !bytes.HasPrefix(body, []byte("[-]")):
		parseJSON(&r, body, a)
	default:
		parseText(&r, string(body))
	}
	if a.Format != "" && a.Format != r.Format {
		r.Mismatch = true
	}
	judge(&r, a)
	r.Hash = hash(&r)
	return r
}

func parseJSON(r *Report, body []byte, a Answer) {
	p := parsers.Get().(*fastjson.Parser)
	if len(body) <= keepParser {
		defer parsers.Put(p)
	}
	v, err := p.ParseBytes(body)
	if err != nil {
		r.Format, r.Why, r.Message = NoFormat, WhyMalformed, "the JSON is malformed"
		if m := statusWord.FindSubmatch(body); m != nil {
			r.Format, r.RawStatus = Generic, clip(string(m[1]), maxName)
			r.State, _ = Word(r.RawStatus)
		}
		return
	}
	root, ok := objectOf(v)
	if !ok {
		r.Format, r.Why, r.Message = NoFormat, WhyNotHealth, "not a health document: it is a JSON array"
		return
	}
	rd := reader{report: r, at: a.At}
	detected := detect(root, a.ContentType)
	format := detected
	if a.Format != "" && fits(a.Format, root) {
		format = a.Format
	}
	r.Format = format
	rd.read(root, format)
	if n := count(r.Nodes); n > maxNodes {
		budget := maxNodes
		r.Nodes = prune(r.Nodes, &budget)
		r.Truncated = true
	}
}

// utf8Body returns the body as UTF-8. Old servlets write ISO-8859-1 and say so.
func utf8Body(body []byte, contentType string) []byte {
	if utf8.Valid(body) {
		return body
	}
	if ct := strings.ToLower(contentType); strings.Contains(ct, "8859-1") || strings.Contains(ct, "windows-1252") {
		runes := make([]rune, len(body))
		for i, b := range body {
			runes[i] = rune(b)
		}
		return []byte(string(runes))
	}
	return bytes.ToValidUTF8(body, []byte("\uFFFD"))
}

// A member is one name and value of a JSON object.
type member struct {
	name  string // valid until the parser is used again
	value *fastjson.Value
}

// An object is a JSON object's members in their order.
type object []member

func objectOf(v *fastjson.Value) (object, bool) {
	if v == nil || v.Type() != fastjson.TypeObject {
		return nil, false
	}
	o, _ := v.Object()
	members := make(object, 0, o.Len())
	o.Visit(func(key []byte, v *fastjson.Value) { members = append(members, member{string(key), v}) })
	return members, true
}

// get returns a member without regard to case. The last of several counts, as with encoding/json.
func (o object) get(name string) *fastjson.Value {
	for i := len(o) - 1; i >= 0; i-- {
		if len(o[i].name) == len(name) && strings.EqualFold(o[i].name, name) {
			return o[i].value
		}
	}
	return nil
}

// text returns a scalar as text, and whether it is one.
func text(v *fastjson.Value) (string, bool) {
	if v == nil {
		return "", false
	}
	switch v.Type() {
	case fastjson.TypeString:
		b, _ := v.StringBytes()
		return string(b), true
	case fastjson.TypeNumber, fastjson.TypeTrue, fastjson.TypeFalse, fastjson.TypeNull:
		return v.String(), true
	default:
		return "", false
	}
}

func isType(v *fastjson.Value, t fastjson.Type) bool { return v != nil && v.Type() == t }
