package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// deadLetterCollector counts dead letters by receiver when it is asked.
type deadLetterCollector struct {
	letters   undertaker
	receivers func() []string // all that there are, in some order
}

func deadLettersDesc() *prometheus.Desc {
	return prometheus.NewDesc("tocsin_notify_dead_letters",
		"Notifications that were given up, and that nobody has retried or discarded.", []string{"receiver"}, nil)
}

// Describe sends the description of the one metric.
func (c deadLetterCollector) Describe(ch chan<- *prometheus.Desc) { ch <- deadLettersDesc() }

// Collect counts. While the engine starts there is nothing to count. Letters of receivers that are gone
// count as well.
func (c deadLetterCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	letters, err := c.letters.DeadLetters(ctx)
	if err != nil {
		return
	}
	counts := map[string]int{}
	for _, name := range c.receivers() {
		counts[name] = 0
	}
	for _, l := range letters {
		counts[l.Key.Receiver]++
	}
	for name, n := range counts { // a registry sorts
		ch <- prometheus.MustNewConstMetric(deadLettersDesc(), prometheus.GaugeValue, float64(n), name)
	}
}
