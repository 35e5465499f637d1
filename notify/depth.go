package notify

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A depth is what waits in the outbox for one receiver.
type depth struct {
	receiver string
	open     int
	age      time.Duration // of the oldest
}

// depths returns what waits for each receiver of the configuration, sorted by name.
func (d *Deliverer) depths() []depth {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	open := map[string]depth{}
	for _, in := range d.open {
		of := open[in.Key.Receiver]
		of.open++
		of.age = max(of.age, now.Sub(in.At))
		open[in.Key.Receiver] = of
	}
	var all []depth
	for _, name := range d.receivers.names() {
		of := open[name]
		of.receiver = name
		all = append(all, of)
	}
	return all
}

// A depthCollector asks for the depths when it is scraped.
type depthCollector struct {
	depths func() []depth
	open   *prometheus.Desc
	age    *prometheus.Desc
}

func newDepthCollector(depths func() []depth) *depthCollector {
	return &depthCollector{
		depths: depths,
		open: prometheus.NewDesc("tocsin_outbox_depth",
			"Intentions whose outcome is not stored yet.", []string{"receiver"}, nil),
		age: prometheus.NewDesc("tocsin_outbox_oldest_age_seconds",
			"Age of the oldest intention whose outcome is not stored yet; 0 if there is none.", []string{"receiver"}, nil),
	}
}

// Describe sends the descriptions of both gauges.
func (c *depthCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.open
	ch <- c.age
}

// Collect sends both gauges for each receiver.
func (c *depthCollector) Collect(ch chan<- prometheus.Metric) {
	for _, d := range c.depths() {
		ch <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(d.open), d.receiver)
		ch <- prometheus.MustNewConstMetric(c.age, prometheus.GaugeValue, d.age.Seconds(), d.receiver)
	}
}
