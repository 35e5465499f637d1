package reference

import (
	"fmt"

	"github.com/prometheus/common/model"
)

// An Alert is one of the model's world. There are few, so that they meet.
type Alert struct{ Name, Instance string }

// String is short.
func (a Alert) String() string { return a.Name + "/" + a.Instance }

// The names of alerts. While the cause fires on an instance it explains the impact there.
const (
	Cause  = "NodeDown"
	Impact = "TargetDown"
	Plain  = "Disk"
	Pulled = "Queue" // a source lists it; the others are pushed
)

func instances() []string { return []string{"h1", "h2", teamInstance} }

// teamInstance is where alerts are a team's own.
const teamInstance = "h3"

// Alerts are all that there are.
func Alerts() []Alert {
	var all []Alert
	for _, name := range []string{Cause, Impact, Plain, Pulled} {
		for _, instance := range instances() {
			all = append(all, Alert{name, instance})
		}
	}
	return all
}

// Pulled says that a source lists it, rather than a sender pushes it.
func (a Alert) Pulled() bool { return a.Name == Pulled }

// Labels are the alert's.
func (a Alert) Labels() model.LabelSet {
	labels := model.LabelSet{model.AlertNameLabel: model.LabelValue(a.Name), "instance": model.LabelValue(a.Instance)}
	if a.Instance == teamInstance {
		labels["team"] = "db"
	}
	return labels
}

// A Mute is a silence, or a window, on one label's value.
type Mute struct {
	Label, Value string
	Window       bool
}

// String says what is muted, and how.
func (m Mute) String() string {
	kind := "silence"
	if m.Window {
		kind = "window"
	}
	return fmt.Sprintf("%s %s=%s", kind, m.Label, m.Value)
}

func (m Mute) mutes(a Alert) bool { return string(a.Labels()[model.LabelName(m.Label)]) == m.Value }

// Mutes are all that there can be.
func Mutes() []Mute {
	return []Mute{
		{Label: "instance", Value: "h1"},
		{Label: "alertname", Value: Plain},
		{Label: "alertname", Value: Cause},
		{Label: "instance", Value: teamInstance, Window: true},
		{Label: "alertname", Value: Impact, Window: true},
	}
}

// The receivers. Each has a webhook, which is told of groups, and keeps an incident for each alert.
const (
	Ops   = "ops"
	Night = "night"
)

// A Variant is a configuration.
type Variant int

// The variants. A reload goes from one to another.
const (
	ByName     Variant = iota // all alerts go to Ops, those of one name together
	ByInstance                // those of one instance together
	TeamApart                 // as ByName, and the team's go to Night
	variants
)

// receiver is where an alert goes.
func (v Variant) receiver(a Alert) string {
	if v == TeamApart && a.Instance == teamInstance {
		return Night
	}
	return Ops
}

// A Place is an alert in a group of a receiver.
type Place struct {
	Receiver, Group string // the group's key is Alertmanager's
	Alert           Alert
}

// String names both.
func (p Place) String() string { return fmt.Sprintf("%s at %s %s", p.Alert, p.Receiver, p.Group) }

// place is where an alert is told.
func (v Variant) place(a Alert) Place {
	group := fmt.Sprintf("{}:{alertname=%q}", a.Name)
	switch {
	case v == ByInstance:
		group = fmt.Sprintf("{}:{instance=%q}", a.Instance)
	case v.receiver(a) == Night:
		group = fmt.Sprintf("{}/{team=\"db\"}:{alertname=%q}", a.Name)
	}
	return Place{v.receiver(a), group, a}
}

// A Ticket is an alert's incident at a receiver's service.
type Ticket struct {
	Receiver string
	Alert    Alert
}

// String names both.
func (t Ticket) String() string { return fmt.Sprintf("incident of %s for %s", t.Alert, t.Receiver) }

// places are all that there can be.
func places() []Place {
	var all []Place
	seen := map[Place]bool{}
	for v := range variants {
		for _, a := range Alerts() {
			if p := v.place(a); !seen[p] {
				seen[p] = true
				all = append(all, p)
			}
		}
	}
	return all
}

func tickets() []Ticket {
	var all []Ticket
	for _, receiver := range []string{Ops, Night} {
		for _, a := range Alerts() {
			all = append(all, Ticket{receiver, a})
		}
	}
	return all
}
