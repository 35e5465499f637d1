package opsgenie

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/tocsin/tocsin/alarm"
)

// Content says what an incident looks like, as templates of package text/template over [Data]. Every
// field is cut to the service's limit, on whole characters; what was cut ends in … and is named in
// the detail tocsin_cut. The zero value works.
type Content struct {
	// Message is the incident's title. Defaults to the annotation summary, or else to the alert's
	// name and the values of its labels. One that must be cut stands whole in the description.
	Message string

	// Description defaults to the annotations and, for several alerts, their list.
	Description string

	// Entity is what it is about. Defaults to the label instance.
	Entity string

	// Source is who says so. Defaults to Options.ExternalURL, or else to tocsin.
	Source string

	// Tags come after Options.Tag and the instance's; each may render to several, separated by commas.
	Tags []string

	// Details come beside the labels, and win over them. NoLabels leaves the labels out.
	Details  map[string]string
	NoLabels bool

	// Actions are names of custom actions.
	Actions []string

	// Responders are told. One that renders to nothing but a type is left out.
	Responders []Responder

	// VisibleTo may see it besides: teams and users, without being told.
	VisibleTo []Responder
}

// A Responder is who is told of an incident. Each field is a template.
type Responder struct {
	// Type is team, user, escalation or schedule; or teams, whose Name is a list with commas.
	Type string

	// ID, Name and Username say which. One is enough; users have no name.
	ID, Name, Username string
}

// An incident is what is sent of one: rendered, and within the limits.
type incident struct {
	Message     string              `json:"message"`
	Alias       string              `json:"alias"`
	Description string              `json:"description,omitempty"`
	Responders  []map[string]string `json:"responders,omitempty"`
	VisibleTo   []map[string]string `json:"visibleTo,omitempty"`
	Actions     []string            `json:"actions,omitempty"`
	Tags        []string            `json:"tags,omitempty"`
	Details     map[string]string   `json:"details,omitempty"`
	Entity      string              `json:"entity,omitempty"`
	Source      string              `json:"source,omitempty"`
	Priority    string              `json:"priority,omitempty"`
	User        string              `json:"user,omitempty"`
	Note        string              `json:"note,omitempty"`
}

// contentTemplates are a Content, parsed.
type contentTemplates struct {
	message, description, entity, source *template.Template
	tags, actions                        []*template.Template
	details                              []namedTemplate // sorted by name
	responders, visibleTo                [][4]*template.Template
}

type namedTemplate struct {
	name string
	*template.Template
}

const (
	defaultMessage     = `{{ or .Annotations.summary .Title }}`
	defaultDescription = `{{ .Text }}`
	defaultEntity      = `{{ .Labels.instance }}`
	defaultSource      = `{{ or .ExternalURL "tocsin" }}`
)

// parse returns the templates, or everything that is wrong with them.
func (c *Content) parse() (contentTemplates, error) {
	var all []error
	parse := func(name, text, fallback string) *template.Template {
		if text == "" {
			text = fallback
		}
		t, err := template.New(name).Option("missingkey=zero").Funcs(functions()).Parse(text)
		if err != nil {
			all = append(all, err)
			return nil
		}
		probe := &Data{Alerts: Alerts{{Status: "firing"}}, Status: "firing"}
		if err := t.Execute(io.Discard, probe); err != nil { // such as a field that is not there
			all = append(all, err)
		}
		return t
	}
	list := func(name string, texts []string) []*template.Template {
		var ts []*template.Template
		for i, text := range texts {
			ts = append(ts, parse(fmt.Sprintf("%s[%d]", name, i), text, ""))
		}
		return ts
	}
	responders := func(name string, rs []Responder, types ...string) [][4]*template.Template {
		var ts [][4]*template.Template
		for i, r := range rs {
			name := fmt.Sprintf("%s[%d]", name, i)
			if !strings.Contains(r.Type, "{{") && !slices.Contains(types, r.Type) {
				all = append(all, fmt.Errorf("%s: type %q: use %s", name, r.Type, strings.Join(types, ", ")))
			}
			ts = append(ts, [4]*template.Template{
				parse(name+".type", r.Type, ""), parse(name+".id", r.ID, ""),
				parse(name+".name", r.Name, ""), parse(name+".username", r.Username, ""),
			})
		}
		return ts
	}
	t := contentTemplates{
		message:     parse("message", c.Message, defaultMessage),
		description: parse("description", c.Description, defaultDescription),
		entity:      parse("entity", c.Entity, defaultEntity),
		source:      parse("source", c.Source, defaultSource),
		tags:        list("tags", c.Tags),
		actions:     list("actions", c.Actions),
		responders:  responders("responders", c.Responders, "team", "user", "escalation", "schedule", "teams"),
		visibleTo:   responders("visible_to", c.VisibleTo, "team", "user", "teams"),
	}
	for _, name := range slices.Sorted(maps.Keys(c.Details)) {
		t.details = append(t.details, namedTemplate{name, parse("details."+name, c.Details[name], "")})
	}
	return t, errors.Join(all...)
}

// A renderer renders the templates of one incident and gathers what went wrong.
type renderer struct {
	data *Data
	err  error
	cuts []string
}

// text renders one template. One that fails gives what its fallback gives: a wrong title is better
// than no incident.
func (r *renderer) text(t *template.Template, fallback string) string {
	var b strings.Builder
	err := t.Execute(&b, r.data)
	if err == nil {
		return strings.TrimSpace(b.String())
	}
	r.err = errors.Join(r.err, err)
	b.Reset()
	f, err := template.New("fallback").Option("missingkey=zero").Funcs(functions()).Parse(fallback)
	if err != nil || f.Execute(&b, r.data) != nil {
		return ""
	}
	return strings.TrimSpace(b.String())
}

// limited is text, cut.
func (r *renderer) limited(field string, t *template.Template, fallback string, limit int) string {
	return r.cut(field, r.text(t, fallback), limit)
}

func (r *renderer) cut(field, text string, limit int) string {
	short := cut(text, limit)
	if len(short) < len(text) && strings.HasSuffix(short, cutMark) {
		r.note(field)
	}
	return short
}

func (r *renderer) note(field string) {
	if !slices.Contains(r.cuts, field) {
		r.cuts = append(r.cuts, field)
	}
}

// render returns what a delivery looks like at the service.
func (c *Client) render(d *alarm.Delivery) (incident, error) {
	r := &renderer{data: c.data(d)}
	t := &c.templates
	in := incident{
		Alias:    c.Alias(d.Key),
		Entity:   r.limited("entity", t.entity, defaultEntity, limitEntity),
		Source:   r.limited("source", t.source, defaultSource, limitSource),
		Priority: c.priority(d),
		User:     c.opts.User,
	}
	message := r.text(t.message, defaultMessage)
	if message == "" {
		message = r.data.Title()
	}
	message = strings.Join(strings.Fields(message), " ")
	description := r.text(t.description, defaultDescription)
	in.Message = r.cut("message", message, limitMessage)
	if slices.Contains(r.cuts, "message") {
		description = message + "\n\n" + description
	}
	in.Description = r.cut("description", description, limitDescription)

	in.Tags = r.list("tags", t.tags, limitTags, limitTag, c.opts.Tag, c.instanceTag())
	in.Actions = r.list("actions", t.actions, limitActions, limitAction)
	in.Responders = r.responders("responders", t.responders, limitResponders)
	in.VisibleTo = r.responders("visible_to", t.visibleTo, limitResponders)
	in.Details = r.details(t.details, c.opts.Content.NoLabels)
	return in, r.err
}

// list renders tags and actions, after those that are always there.
func (r *renderer) list(field string, ts []*template.Template, limit, width int, always ...string) []string {
	items := always
	for _, t := range ts {
		items = append(items, strings.Split(r.text(t, ""), ",")...)
	}
	kept, shortened := cutList(items, limit, width)
	if shortened {
		r.note(field)
	}
	return kept
}

func (r *renderer) responders(field string, ts [][4]*template.Template, limit int) []map[string]string {
	var all []map[string]string
	add := func(kind, id, name, username string) {
		one := map[string]string{"type": kind}
		for key, value := range map[string]string{"id": id, "name": name, "username": username} {
			if value != "" {
				one[key] = value
			}
		}
		switch {
		case len(one) == 1: // nobody
		case len(all) == limit:
			r.note(field)
		default:
			all = append(all, one)
		}
	}
	for _, t := range ts {
		kind, id, name, username := r.text(t[0], ""), r.text(t[1], ""), r.text(t[2], ""), r.text(t[3], "")
		if kind != "teams" {
			add(kind, id, name, username)
			continue
		}
		for _, team := range strings.Split(name, ",") {
			add("team", id, strings.TrimSpace(team), "")
		}
	}
	return all
}

// details renders the details. It comes last, for it says what was cut.
func (r *renderer) details(ts []namedTemplate, noLabels bool) map[string]string {
	details := map[string]string{}
	if !noLabels {
		maps.Copy(details, r.data.Labels)
	}
	for _, t := range ts {
		if value := r.text(t.Template, ""); value != "" {
			details[t.name] = value
		} else {
			delete(details, t.name)
		}
	}
	const reserve = 500 // for what follows
	details, shortened := cutDetails(details, limitDetails-reserve)
	if shortened {
		r.note("details")
	}
	if r.err == nil && len(r.cuts) == 0 {
		return details
	}
	details = maps.Clone(details)
	if len(r.cuts) > 0 {
		details["tocsin_cut"] = strings.Join(r.cuts, ", ")
	}
	if r.err != nil {
		details["tocsin_template_error"] = cut(r.err.Error(), 300)
	}
	return details
}

// priority returns the worst priority of the alerts that fire, P1 to P5, or P3.
func (c *Client) priority(d *alarm.Delivery) string {
	worst := ""
	for i := range d.Alerts {
		a := &d.Alerts[i]
		if a.ResolvedAt(d.Now) {
			continue
		}
		p := "P3"
		if severity, ok := c.opts.Severities.Of(a.Labels); ok && isPriority(severity.Priority) {
			p = severity.Priority
		}
		if c.opts.Priority != nil {
			if changed := c.opts.Priority(a, p); isPriority(changed) {
				p = changed
			}
		}
		if worst == "" || p < worst {
			worst = p
		}
	}
	if worst == "" {
		return "P3"
	}
	return worst
}

func isPriority(p string) bool { return len(p) == 2 && p[0] == 'P' && p[1] >= '1' && p[1] <= '5' }
