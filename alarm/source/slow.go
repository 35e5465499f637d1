package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/common/model"
)

// A wireAlert is an alert as encoding/json sees it.
type wireAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     wireTime          `json:"startsAt"`
	EndsAt       wireTime          `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

// A wireTime is a time in any of the forms that Alertmanager accepts; null leaves it unset.
type wireTime struct{ time.Time }

// UnmarshalJSON reads a JSON string, or null.
func (t *wireTime) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	var err error
	t.Time, err = parseTime(s)
	return err
}

// slow decodes any body by encoding/json, and says what is wrong with it. It is the obvious twin of
// fast.
func (d *decoder) slow(body []byte) (batch, error) {
	var wire []*wireAlert
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&wire); err != nil {
		if errors.Is(err, io.EOF) {
			return batch{}, required("alerts")
		}
		return batch{}, malformed(err)
	}
	for i, w := range wire {
		if w != nil && !validURL(w.GeneratorURL) {
			return batch{}, &BodyError{
				code:    CodeFormat,
				message: fmt.Sprintf("%d.generatorURL in body must be of type uri: %q", i, w.GeneratorURL),
			}
		}
		if w == nil || w.Labels == nil {
			return batch{}, required(fmt.Sprintf("%d.labels", i))
		}
	}
	b := batch{slow: true}
	for _, w := range wire {
		a, err := d.limits.alert(labelSet(w.Labels), labelSet(w.Annotations), w.GeneratorURL)
		a.StartsAt, a.EndsAt = w.StartsAt.Time, w.EndsAt.Time
		b.add(a, err)
	}
	return b, nil
}

func labelSet(m map[string]string) model.LabelSet {
	ls := make(model.LabelSet, len(m))
	for name, value := range m {
		ls[model.LabelName(name)] = model.LabelValue(value)
	}
	return ls
}
