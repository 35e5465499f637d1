package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/cmd/internal/health"
)

// healthSeries is how many services have a series of their own at most.
const healthSeries = 50_000

// healthCollector is what is known of health as metrics: a few series, and one for each service if that is
// asked for.
type healthCollector struct {
	source   health.Source
	services bool
}

func (healthCollector) descriptions() (age, environments, status, left *prometheus.Desc) {
	return prometheus.NewDesc("tocsin_health_age_seconds", "How old what is known of health is.", nil, nil),
		prometheus.NewDesc("tocsin_health_environments", "Environments that are known, by whether they are active.", []string{"activity"}, nil),
		prometheus.NewDesc("tocsin_health_status", "State of a service: 1 ok, 2 unknown, 3 warn, 4 fail.", []string{"cluster", "environment", "service"}, nil),
		prometheus.NewDesc("tocsin_health_status_left_out", "Services without a series, for there are too many.", nil, nil)
}

// Describe sends the descriptions.
func (c healthCollector) Describe(to chan<- *prometheus.Desc) {
	age, environments, status, left := c.descriptions()
	to <- age
	to <- environments
	to <- status
	to <- left
}

// Collect sends what is known now.
func (c healthCollector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	now := time.Now()
	v, err := c.source.View(ctx, now)
	if err != nil {
		return // nothing is known yet
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	age, environments, status, left := c.descriptions()
	gauge(age, now.Sub(v.At).Seconds())
	gauge(environments, float64(v.Summary.Active), "active")
	gauge(environments, float64(v.Summary.Passive), "passive")
	if !c.services {
		return
	}
	n := 0
	all := v.Environments()
	for i := range all {
		for j := range all[i].Services {
			if n++; n <= healthSeries {
				gauge(status, float64(all[i].Services[j].State), all[i].Cluster, all[i].Namespace, all[i].Services[j].Name)
			}
		}
	}
	gauge(left, float64(max(0, n-healthSeries)))
}
