package amreceiver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	amnotify "github.com/prometheus/alertmanager/notify"
	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"

	"github.com/tocsin/tocsin/alarm"
)

// IdempotencyHeader is the header of a webhook's message that an attempt made again has in common with the
// one before: draft-ietf-httpapi-idempotency-key-header.
const IdempotencyHeader = "Idempotency-Key"

// A webhook sends Alertmanager's message, with an [IdempotencyHeader]. Alertmanager's own has no way to give
// a message a header of its own.
type webhook struct {
	conf    *amwebhook.WebhookConfig
	tmpl    *template.Template
	logger  *slog.Logger
	client  *http.Client
	retrier amnotify.Retrier
}

// keyed replaces Alertmanager's webhooks, which are the first integrations of a receiver, by ours. One whose
// configuration has such a header itself is left as it is.
func keyed(
	integrations []amnotify.Integration, rc config.Receiver, tmpl *template.Template, logger *slog.Logger, opts []commoncfg.HTTPClientOption,
) error {
	for i, conf := range rc.WebhookConfigs {
		if name := fmt.Sprintf("webhook[%d]", i); i >= len(integrations) || integrations[i].String() != name {
			return fmt.Errorf("%s is not where Alertmanager's package had it", name)
		}
		if names(conf.HTTPConfig, IdempotencyHeader) {
			continue
		}
		client, err := amnotify.NewClientWithTracing(*conf.HTTPConfig, "webhook", opts...)
		if err != nil {
			return err
		}
		client.Transport = keyedTransport{client.Transport}
		hook := &webhook{conf: conf, tmpl: tmpl, logger: logger.With("integration", "webhook"), client: client}
		integrations[i] = amnotify.NewIntegration(hook, conf, "webhook", i, rc.Name)
	}
	return nil
}

// names says whether a client's configuration has a header.
func names(conf *commoncfg.HTTPClientConfig, header string) bool {
	if conf.HTTPHeaders == nil {
		return false
	}
	for name := range conf.HTTPHeaders.Headers {
		if http.CanonicalHeaderKey(name) == header {
			return true
		}
	}
	return false
}

// Notify implements Alertmanager's Notifier.
func (w *webhook) Notify(ctx context.Context, alerts ...*amalert.Alert) (retry bool, err error) {
	message, err := w.message(ctx, alerts)
	if err != nil {
		return false, err
	}
	body, err := w.body(message)
	if err != nil {
		return false, err
	}
	url, err := w.url(message.Data)
	if err != nil {
		return false, err
	}
	if w.conf.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, w.conf.Timeout, fmt.Errorf("configured webhook timeout reached (%s)", w.conf.Timeout))
		defer cancel()
	}
	resp, err := amnotify.PostJSON(ctx, w.client, url, body) //nolint:bodyclose // Drain closes it
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
		return true, amnotify.RedactURL(err)
	}
	defer amnotify.Drain(resp)
	retry, err = w.retrier.Check(resp.StatusCode, resp.Body)
	if err != nil {
		err = amnotify.NewErrorWithReason(amnotify.GetFailureReasonFromStatusCode(resp.StatusCode), err)
	}
	return retry, err
}

func (w *webhook) message(ctx context.Context, alerts []*amalert.Alert) (*amwebhook.Message, error) {
	groupKey, err := amnotify.ExtractGroupKey(ctx)
	if err != nil {
		return nil, err
	}
	w.logger.Debug("extracted group key", "group_key", groupKey)
	shown := alerts
	if most := w.conf.MaxAlerts; most > 0 && uint64(len(alerts)) > most {
		shown = alerts[:most]
	}
	return &amwebhook.Message{
		Data:            amnotify.GetTemplateData(ctx, w.tmpl, shown, w.logger),
		Version:         "4",
		GroupKey:        groupKey.String(),
		TruncatedAlerts: uint64(len(alerts) - len(shown)),
	}, nil
}

// body is the message, or what the configuration makes of it.
func (w *webhook) body(message *amwebhook.Message) (*bytes.Buffer, error) {
	var body bytes.Buffer
	if w.conf.Payload == nil {
		return &body, json.NewEncoder(&body).Encode(message)
	}
	var templating error
	text := amnotify.TmplText(w.tmpl, message.Data, &templating)
	payload, err := template.DeepCopyWithTemplate(w.conf.Payload, func(s string) (string, error) { return text(s), templating })
	if err == nil {
		err = json.NewEncoder(&body).Encode(payload)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to render custom payload: %w", err)
	}
	return &body, nil
}

func (w *webhook) url(data *template.Data) (string, error) {
	url := string(w.conf.URL)
	if url == "" {
		content, err := os.ReadFile(w.conf.URLFile)
		if err != nil {
			return "", fmt.Errorf("read url_file: %w", err)
		}
		url = strings.TrimSpace(string(content))
	}
	var templating error
	url = amnotify.TmplText(w.tmpl, data, &templating)(url)
	if templating != nil {
		return "", fmt.Errorf("failed to template webhook URL: %w", templating)
	}
	if url == "" {
		return "", errors.New("webhook URL is empty after templating")
	}
	return url, nil
}

type delivered struct{} // of a context: the *alarm.Delivery that is under way

// A keyedTransport gives each request the header that its delivery has.
type keyedTransport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t keyedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if d, ok := req.Context().Value(delivered{}).(*alarm.Delivery); ok {
		req = req.Clone(req.Context())
		req.Header.Set(IdempotencyHeader, `"`+d.IdempotencyKey()+`"`) // a string, as the draft has it
	}
	return t.next.RoundTrip(req)
}
