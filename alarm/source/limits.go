package source

import (
	"errors"
	"fmt"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
)

var errTimes = errors.New("start time must be before end time")

// limits bound one alert, so that a mad sender does not fill the store.
type limits struct {
	labels     int
	labelBytes int
	alertBytes int
}

func defaultLimits() limits { return limits{labels: 256, labelBytes: 64 << 10, alertBytes: 1 << 20} }

// alert makes an alert of its parts, without times, or says why they are not valid. A label without
// a value is no label.
func (l limits) alert(labels, annotations model.LabelSet, generatorURL string) (alarm.Alert, error) {
	for name, value := range labels {
		if value == "" {
			delete(labels, name)
		}
	}
	a := alarm.Alert{Labels: labels, Annotations: annotations, GeneratorURL: generatorURL}
	if err := l.check(&a); err != nil {
		return a, err
	}
	if err := a.Validate(); err != nil {
		return a, err
	}
	return a.WithFingerprint(), nil
}

func (l limits) check(a *alarm.Alert) error {
	labelBytes := size(a.Labels)
	alertBytes := labelBytes + size(a.Annotations) + len(a.GeneratorURL)
	for _, c := range [...]struct {
		what     string
		n, limit int
	}{
		{"labels", len(a.Labels), l.labels},
		{"annotations", len(a.Annotations), l.labels},
		{"bytes of labels", labelBytes, l.labelBytes},
		{"bytes", alertBytes, l.alertBytes},
	} {
		if c.n > c.limit {
			return fmt.Errorf("alert %.80q has %d %s, more than the limit of %d", a.Name(), c.n, c.what, c.limit)
		}
	}
	return nil
}

func size(ls model.LabelSet) int {
	n := 0
	for name, value := range ls {
		n += len(name) + len(value)
	}
	return n
}
