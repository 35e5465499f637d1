package discovery

import "time"

// A Format names a kind of health document.
type Format string

// The formats that [Parse] knows.
const (
	ASPNet       Format = "aspnet"       // ASP.NET Core, HealthChecks UI writer and its hand-written relatives
	Spring3      Format = "spring3"      // Spring Boot 2.2 and later
	Spring2      Format = "spring2"      // Spring Boot 2.0 and 2.1
	Spring1      Format = "spring1"      // Spring Boot 1
	MicroProfile Format = "microprofile" // MicroProfile Health, Quarkus, Vert.x
	HealthJSON   Format = "healthjson"   // draft-inadarei-api-health-check
	GoHealth     Format = "go-health"    // github.com/alexliesenfeld/health
	HealthGo     Format = "health-go"    // github.com/hellofresh/health-go
	Terminus     Format = "terminus"     // NestJS, godaddy
	Heptio       Format = "heptio"       // github.com/heptiolabs/healthcheck with ?full=1
	Kube         Format = "kube"         // the lines of /readyz?verbose
	Generic      Format = "generic"      // JSON with a status and little else
	Text         Format = "text"         // a word
	NoFormat     Format = "none"         // not a health document: the HTTP code decides
)

// Why says what a state comes from, if not from a health document's own words.
type Why string

// The reasons. Those of transport are given by who asks, with [NoAnswer].
const (
	WhyCode          Why = "code"          // the HTTP code
	WhyConfiguration Why = "configuration" // asked wrongly: 401, 403, 404, a redirect
	WhyNotHealth     Why = "not_health"    // a document, but no health document: a login page, an envelope
	WhyMalformed     Why = "malformed"     // broken JSON
	WhyStarting      Why = "starting"      // its checks have not run yet
	WhyRefused       Why = "refused"       // nobody listens, or the connection was cut
	WhyTimeout       Why = "timeout"       // no answer in time
	WhyTLS           Why = "tls"           // the certificate is bad, or TLS is not spoken
	WhyDNS           Why = "dns"           // the name is not known
	WhyTooLarge      Why = "too_large"     // a longer body than is read
	WhyTransport     Why = "transport"     // another error below HTTP
	WhyOwnNetwork    Why = "own_network"   // our own network is gone: nothing is known of the service
	WhyNotAsked      Why = "not_asked"     // there was no time: nothing is known of the service
	WhyNoEndpoint    Why = "no_endpoint"   // no pod is there to answer
)

// A Report is what one answer of a health endpoint says. Identical content gives identical reports,
// whatever the order of the members in the document.
type Report struct {
	Format     Format        `json:"format"`
	HTTPStatus int           `json:"httpStatus,omitempty"`
	State      State         `json:"state"`
	Why        Why           `json:"why,omitempty"`
	RawStatus  string        `json:"status,omitempty"` // the document's word
	Message    string        `json:"message,omitempty"`
	Service    string        `json:"service,omitempty"` // what it calls itself; informational
	Version    string        `json:"version,omitempty"`
	Release    string        `json:"release,omitempty"`
	Duration   time.Duration `json:"duration"` // of all checks, by the document, or NotGiven
	Nodes      []Node        `json:"nodes,omitempty"`
	Data       []KV          `json:"data,omitempty"` // of the service itself

	// Operations and FailedOperations are sums of the counters that the document gives, or NotGiven.
	Operations       int64 `json:"operations"`
	FailedOperations int64 `json:"failedOperations"`

	Contradicts bool `json:"contradicts,omitempty"` // a dependency is worse than the whole, or the HTTP code disagrees
	Partial     bool `json:"partial,omitempty"`     // only failing dependencies are listed
	Mismatch    bool `json:"mismatch,omitempty"`    // the format is not the one that was named
	Truncated   bool `json:"truncated,omitempty"`   // a limit was hit

	// Hash is of the content without durations, times, counters and measurements: see [Parse].
	Hash Hash `json:"hash"`
}

// Failing counts the dependencies that fail, by their leaves: a composite that fails because of a part
// of it counts once.
func (r *Report) Failing() int { return failing(r.Nodes) }

func failing(nodes []Node) int {
	n := 0
	for i := range nodes {
		below := failing(nodes[i].Children)
		if below == 0 && nodes[i].State == Fail {
			below = 1
		}
		n += below
	}
	return n
}
