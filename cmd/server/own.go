package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/source"
	"github.com/tocsin/tocsin/notify"
)

// ownSource is the name of the source of tocsin's own alerts.
const ownSource = "tocsin"

// own is tocsin as a source: it takes the same routes as any other. It says nothing unless there is
// a section tocsin:.
type own struct {
	enabled func() bool
	watched func() map[string]bool // the sources that are missed when they are stale
	sources func() []alarm.SourceStatus
	blind   func() map[string]error // the sources that answer and see nothing
	problem func() string           // of the configuration on disk
	letters func(context.Context) ([]alarm.DeadLetter, error)
	depths  func() []notify.Depth
	outage  func() (from, to time.Time) // of the store
}

// Alerts says what is wrong with tocsin itself. Until it is known how a source stands, what was told of
// it before a restart holds.
func (o own) Alerts(ctx context.Context) (alarm.Snapshot, error) {
	var s alarm.Snapshot
	if !o.enabled() {
		return s, nil
	}
	standing, blind := map[string]alarm.SourceStatus{}, o.blind()
	for _, src := range o.sources() {
		standing[src.Name] = src
	}
	for _, name := range slices.Sorted(maps.Keys(o.watched())) {
		labels := model.LabelSet{"alertname": "TocsinSourceDown", "source": model.LabelValue(name), "severity": "critical"}
		src, known := standing[name]
		switch err := blind[name]; {
		case !known || !src.Stale && errors.Is(err, source.ErrUnread): // we have only just started
			s.Unknown(labels)
			continue
		case !src.Stale && err != nil: // it answers, and sees nothing
			src.Err = err
		case !src.Stale:
			continue
		}
		a := s.Firing(labels)
		a.Annotations = model.LabelSet{
			"summary":     model.LabelValue(fmt.Sprintf("Source %s is down: nobody knows what fires there.", name)),
			"description": model.LabelValue(downWords(src)),
		}
	}
	failing, err := o.failing(ctx)
	if err != nil {
		return alarm.Snapshot{}, err
	}
	s.Alerts = append(s.Alerts, failing...)
	s.Alerts = append(s.Alerts, o.storeFailed(time.Now())...)
	if problem := o.problem(); problem != "" {
		a := s.Firing(model.LabelSet{"alertname": "TocsinConfigInvalid", "severity": "warning"})
		a.Annotations = model.LabelSet{"summary": "The configuration on disk is bad: the old one stays in force.", "description": model.LabelValue(problem)}
	}
	return s, nil
}

func downWords(s alarm.SourceStatus) string {
	words := "It was never read since the start."
	if !s.LastSuccess.IsZero() {
		words = "It was last heard at " + s.LastSuccess.UTC().Format(time.RFC3339) + "."
	}
	if s.Err != nil {
		words += " " + s.Err.Error() + "."
	}
	return fmt.Sprintf("%s Its %d alerts are held.", words, s.Alerts)
}
