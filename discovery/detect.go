package discovery

import (
	"strings"

	"github.com/valyala/fastjson"
)

// detect tells the format of a JSON object by its members; the content type has little to say, since
// every format is met with every type.
func detect(root object, contentType string) Format {
	status := statusOf(root)
	checks, details := root.get("checks"), root.get("details")
	switch {
	case isType(checks, fastjson.TypeObject), objectOfArrays(details), strings.Contains(contentType, "health+json"):
		return HealthJSON
	case isType(root.get("entries"), fastjson.TypeObject), isType(root.get("entries"), fastjson.TypeArray),
		objectOfObjectsWithStatus(root.get("results")), root.get("totalDuration") != nil && status != "",
		arrayOfObjectsWithStatus(root.get("info")):
		return ASPNet
	case isType(root.get("components"), fastjson.TypeObject):
		return Spring3
	case isType(checks, fastjson.TypeArray):
		return MicroProfile
	case isType(root.get("component"), fastjson.TypeObject) && (root.get("failures") != nil || root.get("timestamp") != nil),
		isType(root.get("failures"), fastjson.TypeObject) && status != "":
		return HealthGo
	case isType(details, fastjson.TypeObject):
		return byRootWord(status)
	case status != "" && (isType(root.get("groups"), fastjson.TypeArray) || strings.Contains(contentType, "spring-boot")):
		if hasNestedStatus(root) {
			return Spring1
		}
		return Spring3
	case status != "" && (objectOfObjectsWithStatus(root.get("info")) || objectOfObjectsWithStatus(root.get("error"))):
		return Terminus
	case hasNestedStatus(root):
		return Spring1
	case status == "" && allStrings(root) && hasOK(root):
		return Heptio
	case status != "":
		return Generic
	}
	return NoFormat
}

// byRootWord tells apart the three formats that have details, by how they write the root's word.
func byRootWord(word string) Format {
	switch word {
	case "ok", "error", "shutting_down":
		return Terminus
	case "up", "down", "unknown":
		return GoHealth
	}
	return Spring2
}

// fits says whether an object can be read as a format that was named for it.
func fits(f Format, root object) bool {
	switch f {
	case ASPNet, Spring3, Spring2, Spring1, MicroProfile, HealthJSON, GoHealth, HealthGo, Terminus, Generic:
		return statusOf(root) != "" || f == ASPNet && len(root) == 0
	case Heptio:
		return allStrings(root)
	}
	return false
}

// statusOf returns the status word of an object, or nothing if it has none.
func statusOf(o object) string {
	for _, name := range [...]string{"status", "outcome", "state", "health", "overall", "healthy", "success"} {
		v := o.get(name)
		if v == nil {
			continue
		}
		switch v.Type() {
		case fastjson.TypeString, fastjson.TypeTrue, fastjson.TypeFalse:
			s, _ := text(v)
			return s
		case fastjson.TypeNumber: // ASP.NET's; others are HTTP codes in an envelope, and the like
			if s, _ := text(v); s == "0" || s == "1" || s == "2" {
				return s
			}
		case fastjson.TypeObject: // {"status":{"code":"UP","description":"..."}}, Spring's own type written out
			if inner, ok := objectOf(v); ok {
				if s, ok := text(inner.get("code")); ok {
					return s
				}
			}
		}
	}
	return ""
}

// hasStatus says whether a value is an object with a status in words.
func hasStatus(v *fastjson.Value) bool {
	o, ok := objectOf(v)
	if !ok {
		return false
	}
	for _, name := range [...]string{"status", "outcome", "state"} {
		if isType(o.get(name), fastjson.TypeString) {
			return true
		}
	}
	return false
}

func hasNestedStatus(o object) bool {
	for _, m := range o {
		if hasStatus(m.value) {
			return true
		}
	}
	return false
}

func objectOfObjectsWithStatus(v *fastjson.Value) bool {
	o, ok := objectOf(v)
	return ok && hasNestedStatus(o)
}

func arrayOfObjectsWithStatus(v *fastjson.Value) bool {
	if !isType(v, fastjson.TypeArray) {
		return false
	}
	for _, e := range v.GetArray() {
		if hasStatus(e) {
			return true
		}
	}
	return false
}

func objectOfArrays(v *fastjson.Value) bool {
	o, ok := objectOf(v)
	for _, m := range o {
		if !isType(m.value, fastjson.TypeArray) {
			return false
		}
	}
	return ok && len(o) > 0
}

func allStrings(o object) bool {
	for _, m := range o {
		if !isType(m.value, fastjson.TypeString) {
			return false
		}
	}
	return len(o) > 0
}

func hasOK(o object) bool {
	for _, m := range o {
		if s, _ := text(m.value); s == "OK" {
			return true
		}
	}
	return false
}

// isReport says whether an object inside somebody's data is a health document of its own: a downstream's.
func isReport(o object) bool {
	status := statusOf(o)
	if _, known := Word(status); !known || status == "" {
		return false
	}
	for _, name := range [...]string{"entries", "components", "checks", "results", "details"} {
		switch c := o.get(name); {
		case objectOfObjectsWithStatus(c), arrayOfObjectsWithStatus(c), objectOfArrays(c):
			return true
		}
	}
	return false
}
