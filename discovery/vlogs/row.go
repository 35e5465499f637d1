package vlogs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/discovery"
)

// The kinds of rows. The kind, the cluster, the namespace and the service are the stream: they are
// few, and never change for a service. All else are fields.
const (
	kindState   = "state"
	kindCycle   = "cycle"
	kindDoc     = "doc"
	kindReceipt = "receipt"

	streamFields = "kind,cluster,namespace,service"
)

// A row is what is common to all rows. VictoriaLogs stores an empty field as none.
type row struct {
	Time      time.Time `json:"_time"`
	Message   string    `json:"_msg"` // short: without it a longer text of the server's own is stored
	Kind      string    `json:"kind"`
	Cluster   string    `json:"cluster,omitempty"`
	Namespace string    `json:"namespace,omitempty"`
	Service   string    `json:"service,omitempty"`
	Agent     string    `json:"agent,omitempty"`
}

// A stateRow is one service in one cycle. Cycle ties it to the cycle's own row.
type stateRow struct {
	row
	Cycle       int64  `json:"cycle"` // Unix nanoseconds of its end
	Environment string `json:"environment,omitempty"`
	Status      string `json:"status"` // ok, warn, unknown, fail
	Why         string `json:"why,omitempty"`
	Reason      string `json:"reason,omitempty"`
	HTTP        int    `json:"http,omitempty"`
	Format      string `json:"format,omitempty"`
	Hash        string `json:"hash"`
	LatencyMs   string `json:"latency_ms,omitempty"`
	Failing     int    `json:"failing"` // dependencies
	Operations  string `json:"operations,omitempty"`
	Failed      string `json:"failed_operations,omitempty"`
	Role        string `json:"role,omitempty"`
	Life        string `json:"life,omitempty"`
	Version     string `json:"version,omitempty"`
	Contradicts bool   `json:"contradicts,omitempty"`
	Target      string `json:"target"` // JSON, as one text
}

// A targetText is what of a target has no field of its own.
type targetText struct {
	URL      string              `json:"url"`
	Labels   model.LabelSet      `json:"labels,omitempty"`
	Format   discovery.Format    `json:"format,omitempty"`
	Expect   []int               `json:"expect,omitempty"`
	Workload *discovery.Workload `json:"workload,omitempty"`
}

// A cycleRow says that an agent has gone through its services, and how many they are: so what is missing
// is known to be missing.
type cycleRow struct {
	row
	Cycle    int64 `json:"cycle"`
	Interval int64 `json:"interval_ms"`
	Services int   `json:"services"`
	Blind    bool  `json:"blind"`
	Gone     bool  `json:"gone,omitempty"`
}

// A docRow is a document, or a part of one that is too long for a line.
type docRow struct {
	row
	Hash  string `json:"hash"`
	Type  string `json:"content_type,omitempty"`
	HTTP  int    `json:"http,omitempty"`
	Part  int    `json:"part"`
	Parts int    `json:"parts"`
	Doc   string `json:"doc"`
}

func cycleOf(c *discovery.Cycle) cycleRow {
	return cycleRow{
		row:   row{Time: c.At, Message: kindCycle, Kind: kindCycle, Cluster: c.Cluster, Agent: c.Agent},
		Cycle: c.At.UnixNano(), Interval: c.Interval.Milliseconds(), Services: len(c.Results), Blind: c.Blind, Gone: c.Gone,
	}
}

func stateOf(c *discovery.Cycle, h *discovery.Health) (stateRow, error) {
	target, err := line(targetText{h.Target.URL, h.Target.Labels, h.Target.Format, h.Target.Expect, h.Target.Workload})
	if err != nil {
		return stateRow{}, fmt.Errorf("the target %s: %w", h.Target.Key(), err)
	}
	s := stateRow{
		row: row{
			Time: h.At, Message: h.State.String(), Kind: kindState, Cluster: h.Target.Cluster, Namespace: h.Target.Namespace,
			Service: h.Target.Service, Agent: c.Agent,
		},
		Cycle: c.At.UnixNano(), Environment: h.Target.Environment, Status: h.State.String(), Why: string(h.Why), Reason: clip(h.Message),
		HTTP: h.HTTPStatus, Format: string(h.Format), Hash: h.Hash.String(), Failing: h.Failing(), Version: h.Version, Contradicts: h.Contradicts, Target: string(bytes.TrimSpace(target)),
		Operations: count(h.Operations), Failed: count(h.FailedOperations),
	}
	if h.Latency >= 0 {
		s.LatencyMs = strconv.FormatFloat(float64(h.Latency)/1e6, 'f', 3, 64)
	}
	activity := h.Activity.Or(h.Target.Activity)
	if activity.Role != discovery.RoleUnknown {
		s.Role = activity.Role.String()
	}
	if activity.Life != discovery.LifeUnknown {
		s.Life = activity.Life.String()
	}
	return s, nil
}

// clip bounds a reason: the whole of it is in the document.
func clip(s string) string {
	const longest = 300
	if len(s) <= longest {
		return s
	}
	n := longest
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

func count(n int64) string {
	if n < 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// line encodes a row as one line. Invalid UTF-8 becomes U+FFFD, since VictoriaLogs would answer with it as
// it is, and that is no JSON; a struct has no name twice; and no name is longer than 128 bytes.
func line(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// docLines returns a document as lines of at most limit bytes.
func docLines(h *discovery.Health, agent string, limit int) ([][]byte, error) {
	d := docRow{
		row: row{
			Time: h.At, Message: "document", Kind: kindDoc, Cluster: h.Target.Cluster, Namespace: h.Target.Namespace,
			Service: h.Target.Service, Agent: agent,
		},
		Hash: h.Hash.String(), Type: h.ContentType, HTTP: h.HTTPStatus, Parts: 1, Doc: string(h.Raw),
	}
	whole, err := line(d)
	if err != nil || len(whole) <= limit {
		return [][]byte{whole}, err
	}
	// A byte becomes six at most (\u0000), and most become one: halve until it fits.
	head := len(whole) - len(d.Doc)
	for size := limit - min(head, limit/2); size > 0; size /= 2 {
		parts := split(string(h.Raw), size)
		lines := make([][]byte, 0, len(parts))
		for i, p := range parts {
			d.Part, d.Parts, d.Doc = i, len(parts), p
			l, err := line(d)
			if err != nil {
				return nil, err
			}
			if len(l) > limit {
				break
			}
			lines = append(lines, l)
		}
		if len(lines) == len(parts) {
			return lines, nil
		}
	}
	return nil, fmt.Errorf("the document of %s does not fit into lines of %d bytes", h.Target.Key(), limit)
}

// split cuts a text into pieces of at most size bytes, at rune boundaries. An empty text is one piece.
func split(s string, size int) []string {
	var parts []string
	for len(s) > size {
		n := size
		for n > size-4 && n > 0 && s[n]&0xC0 == 0x80 {
			n--
		}
		if n == 0 {
			n = size
		}
		parts = append(parts, s[:n])
		s = s[n:]
	}
	return append(parts, s)
}
