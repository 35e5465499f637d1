package discovery

import (
	"net/http"
	"slices"
)

// judge decides the state of a report from the document's own word, its dependencies and the HTTP code.
//
//	code            document's word          state
//	2xx, expected   ok, warn, fail           the word; fail contradicts
//	2xx, expected   unknown, another word    unknown
//	2xx, expected   none, dependencies       the worst of them
//	2xx, expected   none at all              ok, but unknown for HTML, an unknown text or an empty ASP.NET report
//	429             milder than warn         warn
//	401 403 404 3xx any                      unknown: asked wrongly
//	503             unknown, not run yet     unknown: starting
//	5xx             milder than fail         fail; ok contradicts
//	other 4xx       fail                     fail
//	other 4xx       milder                   unknown: asked wrongly; ok contradicts
//
// The document's word stands against worse dependencies: services weigh their optional ones on purpose.
func judge(r *Report, a Answer) {
	worst := Worst(r.Nodes)
	if r.State == None && r.Why != WhyNotHealth {
		r.State = worst
	}
	if worst > r.State && r.State != None && worst > Unknown {
		r.Contradicts = true
	}
	code := a.Status
	switch {
	case slices.Contains(a.Expect, code):
		code = http.StatusOK
	case code == 0: // read from a file, or from elsewhere
		code = http.StatusOK
	}
	switch {
	case code >= 200 && code < 300:
		judgeGood(r, a)
	case code == http.StatusTooManyRequests:
		if r.State < Warn {
			r.State, r.Why = Warn, WhyCode
		}
	case code >= 500:
		if r.State == Unknown && r.Why == WhyStarting && code == http.StatusServiceUnavailable {
			return
		}
		if r.State != Fail {
			r.Contradicts = r.Contradicts || r.State == OK
			r.State = Fail
			if r.Why != WhyMalformed {
				r.Why = WhyCode
			}
		}
	case isMisconfigured(code), r.State != Fail:
		r.Contradicts = r.Contradicts || r.State == OK
		r.State, r.Why = Unknown, WhyConfiguration
		if r.Message == "" || r.Format == NoFormat {
			r.Message = "asked wrongly: " + statusText(code)
		}
	}
	if r.State == Fail && r.Message == "" {
		r.Message = blame(r)
	}
}

func isMisconfigured(code int) bool {
	return code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusNotFound || code < 400
}

// judgeGood judges an answer whose code says that all is well.
func judgeGood(r *Report, a Answer) {
	switch {
	case r.State == Fail && r.RawStatus != "":
		r.Contradicts = true
	case r.State == None && (r.Why == WhyNotHealth || a.Format == ASPNet && a.Status != http.StatusNoContent && len(a.Body) > 0):
		r.State = Unknown
		if r.Why == "" {
			r.Why = WhyNotHealth
		}
	case r.State == None:
		r.State = OK
		if r.Why == "" {
			r.Why = WhyCode
		}
	}
}

// blame says in a sentence why a service fails that does not say so itself.
func blame(r *Report) string {
	var first *Node
	n := 0
	Walk(r.Nodes, func(_ string, node *Node) {
		if node.State == Fail && len(node.Children) == 0 {
			if n++; first == nil {
				first = node
			}
		}
	})
	switch {
	case first == nil && r.RawStatus != "" && r.Why != WhyCode:
		return "it says " + r.RawStatus
	case first == nil:
		return statusText(r.HTTPStatus)
	case n == 1 && first.Message != "":
		return clip(first.Name+": "+first.Message, maxText)
	case n == 1:
		return first.Name + " fails"
	default:
		return clip(first.Name+" and others fail", maxText)
	}
}

func statusText(code int) string {
	if code == 0 {
		return ""
	}
	if t := http.StatusText(code); t != "" {
		return "HTTP " + itoa(code) + " " + t
	}
	return "HTTP " + itoa(code)
}
