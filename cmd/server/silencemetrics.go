package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/silence"
)

// silenceCollector counts silences by state when it is asked.
type silenceCollector struct{ silences *silence.Service }

func silencesDesc() *prometheus.Desc {
	return prometheus.NewDesc("alertmanager_silences", "How many silences there are, by state.", []string{"state"}, nil)
}

// Describe sends the description of the one metric.
func (c silenceCollector) Describe(ch chan<- *prometheus.Desc) { ch <- silencesDesc() }

// Collect counts. While the engine starts there is nothing to count.
func (c silenceCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	all, err := c.silences.List(ctx)
	if err != nil {
		return
	}
	counts := silence.Count(time.Now(), all)
	for _, state := range []alarm.SilenceState{alarm.SilenceActive, alarm.SilenceExpired, alarm.SilencePending} {
		ch <- prometheus.MustNewConstMetric(silencesDesc(), prometheus.GaugeValue, float64(counts[state]), string(state))
	}
}
