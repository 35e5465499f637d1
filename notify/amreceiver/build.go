package amreceiver

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/alertmanager/config"
	amreceiver "github.com/prometheus/alertmanager/config/receiver"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
)

// Build makes the integrations of all receivers, and their specs, in the order of the file: a
// receiver that no route uses any more may still have to be told that something ended. If such a one
// cannot be made, that is logged, and it has none, for Alertmanager does not mind either. The
// external URL is what links in messages point to. HTTP options apply to every client that is made.
//
// An attempt is bounded by a minute, unless the integration's own configuration has a shorter
// timeout. In Alertmanager a remote that does not answer holds its group until group_interval is over;
// here it would hold a worker that others wait for.
func Build(
	cfg *config.Config, externalURL *url.URL, logger *slog.Logger, opts ...commoncfg.HTTPClientOption,
) ([]alarm.ReceiverSpec, notify.Receivers, error) {
	tmpl, err := template.FromGlobs(cfg.Templates)
	if err != nil {
		return nil, nil, fmt.Errorf("parse templates: %w", err)
	}
	tmpl.ExternalURL = externalURL

	used := usedReceivers(cfg.Route)
	var specs []alarm.ReceiverSpec
	receivers := notify.Receivers{}
	var problems []error
	for _, rc := range cfg.Receivers {
		integrations, err := amreceiver.BuildReceiverIntegrations(rc, tmpl, logger, opts...)
		if err == nil {
			err = keyed(integrations, rc, tmpl, logger, opts)
		}
		if err != nil && !used[rc.Name] {
			logger.Warn("a receiver that no route uses cannot be made", "receiver", rc.Name, "err", err)
			integrations = nil
		} else if err != nil {
			problems = append(problems, fmt.Errorf("receiver %q: %w", rc.Name, err))
			continue
		}
		spec := alarm.ReceiverSpec{Name: rc.Name, Labels: rc.Labels}
		receivers[rc.Name] = nil // a receiver without integrations is a receiver
		for i := range integrations {
			in := &integrations[i]
			spec.Integrations = append(spec.Integrations,
				alarm.IntegrationSpec{Name: in.String(), SendResolved: in.SendResolved()})
			receivers[rc.Name] = append(receivers[rc.Name], notify.Integration{
				Name:     in.String(),
				Receiver: &Receiver{integration: in, name: rc.Name, tmpl: tmpl, logger: logger},
				Timeout:  attemptTimeout,
			})
		}
		specs = append(specs, spec)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, nil, err
	}
	return specs, receivers, nil
}

const attemptTimeout = time.Minute

// usedReceivers returns the receivers that a route or one below it names. The others inherit.
func usedReceivers(r *config.Route) map[string]bool {
	used := map[string]bool{}
	var visit func(*config.Route)
	visit = func(r *config.Route) {
		if r == nil {
			return
		}
		used[r.Receiver] = true
		for _, child := range r.Routes {
			visit(child)
		}
	}
	visit(r)
	return used
}

// Kinds returns the kinds of integration whose metrics Alertmanager shows from the start.
func Kinds() []string {
	return []string{
		"discord", "email", "incidentio", "jira", "mattermost", "msteams", "msteamsv2", "opsgenie", "pagerduty",
		"pushover", "rocketchat", "slack", "sns", "telegram", "victorops", "webex", "webhook", "wechat",
	}
}

var _ notify.Receiver = (*Receiver)(nil)

// A Receiver is one integration of one of Alertmanager's receivers.
type Receiver struct {
	integration *amnotify.Integration
	name        string
	tmpl        *template.Template
	logger      *slog.Logger
}
