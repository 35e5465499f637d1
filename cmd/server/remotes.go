package server

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"golang.org/x/time/rate"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/cmd/internal/config"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/opsgenie"
)

// incidents is the integration that keeps incidents at Opsgenie or JSM. Alertmanager's own is called
// opsgenie, and what it told is another matter.
const incidents = "incidents[0]"

// A remote is one receiver's client of an account at Opsgenie or JSM.
type remote struct {
	receiver string
	account  string // receivers of one account are reconciled together
	client   *opsgenie.Client
	config   *config.Opsgenie
}

// accounts holds the rate limits of each account, which outlive a reload.
type accounts map[string]*opsgenie.Account

// of returns the limits of an account, made anew if it is not known or another rate was configured. Without
// accounts it returns nil.
func (a accounts) of(account string, perSecond int) *opsgenie.Account {
	if a == nil {
		return nil
	}
	name := fmt.Sprintf("%s\x00%d", account, perSecond)
	if a[name] == nil {
		a[name] = opsgenie.NewAccount(opsgenie.AccountOptions{Alert: rate.Limit(perSecond), AlertBurst: 2 * perSecond})
	}
	return a[name]
}

// addRemotes adds the receivers of the section tocsin: that keep incidents.
func addRemotes(c *config.Config, external *url.URL, o buildOptions, specs []alarm.ReceiverSpec, receivers notify.Receivers) ([]remote, error) {
	var remotes []remote
	for _, r := range c.Tocsin.Receivers {
		n := slices.IndexFunc(specs, func(s alarm.ReceiverSpec) bool { return s.Name == r.Name })
		if n < 0 {
			continue
		}
		specs[n].Fallback = r.Fallback
		if r.Opsgenie == nil {
			continue
		}
		rem, err := newRemote(c, r.Name, r.Opsgenie, external, o)
		if err != nil {
			return nil, fmt.Errorf("tocsin.receivers: %s: opsgenie: %w", r.Name, err)
		}
		remotes = append(remotes, rem)
		specs[n].Integrations = append(slices.Clip(specs[n].Integrations), alarm.IntegrationSpec{
			Name: incidents, SendResolved: true, Level: r.Opsgenie.Incident == config.IncidentPerAlert, Remind: r.Opsgenie.Remind,
		})
		receivers[r.Name] = append(receivers[r.Name], notify.Integration{Name: incidents, Receiver: rem.client, Timeout: notify.UntilDeadline})
	}
	return remotes, nil
}

func newRemote(c *config.Config, receiver string, og *config.Opsgenie, external *url.URL, o buildOptions) (remote, error) {
	key, err := secretOf(og.APIKey, og.APIKeyFile)
	if err != nil && !o.unread {
		return remote{}, fmt.Errorf("api_key_file: %w", err)
	}
	token, err := secretOf(og.APIToken, og.APITokenFile)
	if err != nil && !o.unread {
		return remote{}, fmt.Errorf("api_token_file: %w", err)
	}
	if o.unread {
		key, token = cmp.Or(key, "not read"), cmp.Or(token, og.APITokenFile)
	}
	account := og.Backend + "\x00" + og.APIURL + "\x00" + key
	backend := opsgenie.Opsgenie
	if og.Backend == config.BackendJSM {
		backend = opsgenie.JiraServiceManagement
	}
	client, err := opsgenie.New(key, opsgenie.Options{
		Backend: backend, URL: og.APIURL,
		Operations: opsgenie.Operations{URL: og.OperationsURL, CloudID: og.CloudID, Email: og.Email, Token: token, TeamID: og.TeamID},
		Instance:   o.instance, Tag: og.Tag, AliasKey: og.AliasKey,
		Content: opsgenie.Content{
			Message: og.Message, Description: og.Description, Entity: og.Entity, Source: og.Source,
			Tags: og.Tags, Details: detailsOf(og), NoLabels: og.NoLabels, Actions: og.Actions,
			Responders: respondersOf(og.Responders), VisibleTo: respondersOf(og.VisibleTo),
		},
		Severities: c.Severities(), Priority: priorityOf(og.Priorities),
		ExternalURL: external.String(), Account: o.accounts.of(account, og.RequestsPerSecond), Logger: o.log.With("component", "opsgenie", "receiver", receiver),
	})
	if err != nil {
		return remote{}, err
	}
	return remote{receiver: receiver, account: account, client: client, config: og}, nil
}

func secretOf(s config.Secret, file string) (string, error) {
	if file == "" {
		return s.Reveal(), nil
	}
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}

func detailsOf(og *config.Opsgenie) map[string]string {
	details := make(map[string]string, len(og.Details))
	for name, text := range og.Details {
		details[string(name)] = string(text)
	}
	return details
}

func respondersOf(rs []config.Responder) []opsgenie.Responder {
	var out []opsgenie.Responder
	for _, r := range rs {
		out = append(out, opsgenie.Responder(r))
	}
	return out
}

// healthAlert is the name of alerts about failing services, which bring their priority with them: as tocsin.health
// has it, or as the rules in examples/rules have.
const healthAlert = "HealthServicesFailing"

// priorityOf returns the first rule's that matches, or what an alert about failing services brings, or else what the
// severity says.
func priorityOf(rules []config.PriorityRule) func(*alarm.Alert, string) string {
	return func(a *alarm.Alert, bySeverity string) string {
		for _, rule := range rules {
			if slices.Concat(rule.Matchers...).Matches(a.Labels) {
				return rule.Priority
			}
		}
		switch p := a.Labels["priority"]; {
		case a.Labels[model.AlertNameLabel] != healthAlert:
		case p == "P1", p == "P2", p == "P3", p == "P4", p == "P5":
			return string(p)
		}
		return bySeverity
	}
}

// priority is what the incident of an alert has.
func (r *remote) priority(severities alarm.Severities, a *alarm.Alert) string {
	if a == nil {
		return ""
	}
	s, _ := severities.Of(a.Labels)
	return priorityOf(r.config.Priorities)(a, cmp.Or(s.Priority, "P3"))
}
