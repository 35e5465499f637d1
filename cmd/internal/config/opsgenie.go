package config

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/notify"
)

// The back ends of an Opsgenie receiver, and what an incident stands for.
const (
	BackendOpsgenie = "opsgenie"
	BackendJSM      = "jsm"

	IncidentPerAlert = "alert"
	IncidentPerGroup = "group"

	AdoptTake  = "take"
	AdoptClose = "close"
)

// Opsgenie keeps incidents at Opsgenie, or at Jira Service Management, in step with what fires.
type Opsgenie struct {
	// Backend is opsgenie or jsm. Defaults to opsgenie.
	Backend string `yaml:"backend"`

	// APIURL is the service's address. Defaults to the one in the US; the EU's is
	// https://api.eu.opsgenie.com.
	APIURL string `yaml:"api_url"`

	// APIKey is the key of an API integration. Exclusive with APIKeyFile.
	APIKey     Secret `yaml:"api_key"`
	APIKeyFile string `yaml:"api_key_file"`

	// CloudID, Email and APIToken are by which JSM's state is read back; OperationsURL is where,
	// and TeamID owns its heartbeats.
	CloudID       string `yaml:"cloud_id"`
	Email         string `yaml:"email"`
	APIToken      Secret `yaml:"api_token"`
	APITokenFile  string `yaml:"api_token_file"`
	OperationsURL string `yaml:"operations_url"`
	TeamID        string `yaml:"team_id"`

	// Incident says what an incident stands for: alert, which obeys the verdict alone, or group, which
	// obeys the route's timers. Defaults to alert.
	Incident string `yaml:"incident"`

	// AliasKey stands in aliases for the receiver's name, so that a renamed receiver keeps its
	// incidents. Defaults to the receiver's name.
	AliasKey string `yaml:"alias_key"`

	// Tag marks what is ours. Defaults to tocsin.
	Tag string `yaml:"tag"`

	// Message, Description, Entity and Source are templates; see notify/opsgenie.
	Message     string `yaml:"message"`
	Description string `yaml:"description"`
	Entity      string `yaml:"entity"`
	Source      string `yaml:"source"`

	// Tags, Details and Actions are templates. With NoLabels the labels are no details.
	Tags     []string       `yaml:"tags"`
	Details  model.LabelSet `yaml:"details"`
	NoLabels bool           `yaml:"no_labels"`
	Actions  []string       `yaml:"actions"`

	// Responders are told, VisibleTo may see it besides.
	Responders []Responder `yaml:"responders"`
	VisibleTo  []Responder `yaml:"visible_to"`

	// Priorities take the place of the severity's priority, and of what alerts about failing services bring
	// (tocsin.health.priority); the first that matches counts.
	Priorities []PriorityRule `yaml:"priorities"`

	// RequestsPerSecond bounds the requests about incidents, over all receivers of the account. Zero asks
	// Opsgenie what it allows, and is 10 where it does not say, as with JSM.
	RequestsPerSecond int `yaml:"requests_per_second"`

	// ReconcileInterval is how often what is open there is compared with what fires. Defaults to 5
	// minutes.
	ReconcileInterval time.Duration `yaml:"reconcile_interval"`

	// Reopen says what becomes of an incident that somebody closes while its alert fires. Defaults to
	// opening it again at once.
	Reopen Reopen `yaml:"reopen"`

	// CloseAtMost is how many percent of our open incidents one reconciliation may close. Defaults to
	// 50, and ten may be closed in any case.
	CloseAtMost int `yaml:"close_at_most"`

	// Remind is the age at which an incident that goes on gets a note; others follow at twice the age
	// each. Zero means never. Defaults to 4 hours.
	Remind time.Duration `yaml:"remind"`

	// Adopt says what becomes, at the first start, of incidents that Alertmanager's own integration
	// left open with the same account: take or close. Defaults to nothing.
	Adopt string `yaml:"adopt"`
}

// A Responder is who is told of an incident. Each key is a template.
type Responder struct {
	Type     string `yaml:"type"`
	ID       string `yaml:"id"`
	Name     string `yaml:"name"`
	Username string `yaml:"username"`
}

// A PriorityRule gives alerts a priority, such as those of passive clusters.
type PriorityRule struct {
	Matchers []matcher.Matchers `yaml:"matchers"`
	Priority string             `yaml:"priority"`
}

// Reopen says, by priority, what becomes of an incident that somebody closes while its alert fires:
// always, never, or {after: 10m}.
type Reopen struct {
	Default    notify.Reopen
	ByPriority map[string]notify.Reopen
}

func (o *Opsgenie) setDefaults() {
	o.Backend, o.Incident = BackendOpsgenie, IncidentPerAlert
	o.ReconcileInterval, o.Remind = 5*time.Minute, 4*time.Hour
	o.CloseAtMost = 50
}

func (r *Reopen) decodeNode(d *decoder, n *yaml.Node, path string) {
	if n.Kind != yaml.MappingNode {
		if rule, ok := d.reopenRule(n, path); ok {
			r.Default = rule
		}
		return
	}
	r.ByPriority = map[string]notify.Reopen{}
	for _, e := range entries(n) {
		name := e.key.Value
		rule, ok := d.reopenRule(resolve(e.value), join(path, name))
		switch {
		case !ok:
		case name == "default":
			r.Default = rule
		case !isPriority(name):
			d.refuse(e.key, join(path, name), "no priority", "write P1 to P5, or default")
		default:
			r.ByPriority[name] = rule
		}
	}
}

// reopenRule reads always, never, or {after: 10m}.
func (d *decoder) reopenRule(n *yaml.Node, path string) (notify.Reopen, bool) {
	const remedy = "write always, never or {after: 10m}"
	switch {
	case n.Kind == yaml.ScalarNode && n.Value == "always":
		return notify.Reopen{}, true
	case n.Kind == yaml.ScalarNode && n.Value == "never":
		return notify.Reopen{Never: true}, true
	case n.Kind == yaml.MappingNode && len(entries(n)) == 1 && entries(n)[0].key.Value == "after":
		value := resolve(entries(n)[0].value)
		after, ok := parseDuration(value.Value)
		if !ok {
			d.refuse(value, join(path, "after"), fmt.Sprintf("%q is no duration", value.Value), "write one such as 10m")
			return notify.Reopen{}, false
		}
		return notify.Reopen{After: after.(time.Duration)}, true
	}
	d.refuse(n, path, "no way to open it again", remedy)
	return notify.Reopen{}, false
}

func isPriority(s string) bool { return len(s) == 2 && s[0] == 'P' && s[1] >= '1' && s[1] <= '5' }

// opsgenie checks what a receiver says of Opsgenie.
func (v validator) opsgenie(i int, o *Opsgenie) {
	path := join(v.root, "receivers"+index(i)+".opsgenie")
	at := func(key string) *yaml.Node { return v.at("receivers", i, "opsgenie", key) }
	oneOf := func(key, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			v.refuse(at(key), join(path, key), fmt.Sprintf("no %s %q", key, value), known(value, allowed))
		}
	}
	oneOf("backend", o.Backend, BackendOpsgenie, BackendJSM)
	oneOf("incident", o.Incident, IncidentPerAlert, IncidentPerGroup)
	oneOf("adopt", o.Adopt, "", AdoptTake, AdoptClose)
	v.secret(&o.APIKey, &o.APIKeyFile, path, "api_key", at, true)
	v.secret(&o.APIToken, &o.APITokenFile, path, "api_token", at, false)
	for key, address := range map[string]string{"api_url": o.APIURL, "operations_url": o.OperationsURL} { // problems are sorted
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
			v.refuse(at(key), join(path, key), "not the URL of a server", "write one such as https://api.eu.opsgenie.com")
		}
	}
	if o.Backend == BackendOpsgenie && (o.CloudID != "" || o.Email != "" || o.APIToken != "" || o.APITokenFile != "" || o.TeamID != "") {
		v.refuse(at("backend"), join(path, "backend"), "cloud_id, email, api_token and team_id are Jira Service Management's", "write backend: jsm, or remove them")
	}
	for k, rule := range o.Priorities {
		if !isPriority(rule.Priority) {
			v.refuse(v.at("receivers", i, "opsgenie", "priorities", k), join(path, "priorities"+index(k)), fmt.Sprintf("%q is no priority", rule.Priority), "write P1 to P5")
		}
	}
	if o.ReconcileInterval < time.Second {
		v.refuse(at("reconcile_interval"), join(path, "reconcile_interval"), "too short", "leave it out for 5m")
	}
	if o.RequestsPerSecond < 0 {
		v.refuse(at("requests_per_second"), join(path, "requests_per_second"), "less than none", "leave it out for what the service allows")
	}
	if o.CloseAtMost < 1 || o.CloseAtMost > 100 {
		v.refuse(at("close_at_most"), join(path, "close_at_most"), "no share in percent", "write 1 to 100")
	}
}

// secret checks that a secret is given once, and makes its file's path absolute.
func (v validator) secret(s *Secret, file *string, path, key string, at func(string) *yaml.Node, wanted bool) {
	switch {
	case *s != "" && *file != "":
		v.refuse(at(key+"_file"), join(path, key+"_file"), key+" is given as well", "keep one of the two")
	case *s == "" && *file == "" && wanted:
		v.refuse(at(key), join(path, key), "it is missing", "write "+key+"_file: and the path of a file that holds it")
	}
	*file = absolute(v.doc.name, *file)
}

// pagedTwice refuses receivers that have Alertmanager's integration for Opsgenie as well.
func pagedTwice(doc *document, section *yaml.Node, root string, rs []Receiver, receivers *yaml.Node) Problems {
	var problems Problems
	for _, node := range items(receivers) {
		name, paging := get(node, "name"), get(node, "opsgenie_configs")
		if name == nil || paging == nil {
			continue
		}
		i := slices.IndexFunc(rs, func(r Receiver) bool { return r.Name == name.Value && r.Opsgenie != nil })
		if i < 0 {
			continue
		}
		v := validator{decoder: &decoder{doc: doc}, section: section, root: root}
		problems = append(problems, doc.problem(v.at("receivers", i, "opsgenie"), join(root, "receivers"+index(i)+".opsgenie"),
			fmt.Sprintf("receiver %q has opsgenie_configs as well, and would page twice", name.Value), "remove opsgenie_configs; adopt: take keeps what it left open"))
	}
	return problems
}
