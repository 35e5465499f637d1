package notify

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Depth is what waits in the outbox for one receiver.
type Depth struct {
	Receiver string
	Open     int           // intentions whose outcome is not stored yet
	Age      time.Duration // of the oldest of them
}

// Depths returns what waits for each receiver of the configuration, sorted by name.
func (d *Deliverer) Depths() []Depth {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	open := map[string]Depth{}
	for _, in := range d.open {
		of := open[in.Key.Receiver]
		of.Open++
		of.Age = max(of.Age, now.Sub(in.At))
		open[in.Key.Receiver] = of
	}
	var all []Depth
	for _, name := range d.receivers.names() {
		of := open[name]
		of.Receiver = name
		all = append(all, of)
	}
	return all
}

// Progress says when the delivery was planned that waits longest, or zero if none waits, and when the last
// attempt at any ended, however it ended. A heartbeat judges by them whether the outbox stands still.
func (d *Deliverer) Progress() (waiting, ended time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, in := range d.open { // the order does not show: the oldest counts
		if waiting.IsZero() || in.At.Before(waiting) {
			waiting = in.At
		}
	}
	return waiting, d.progress
}

// A depthCollector asks for the depths when it is scraped.
type depthCollector struct {
	depths func() []Depth
	open   *prometheus.Desc
	age    *prometheus.Desc
}

func newDepthCollector(depths func() []Depth) *depthCollector {
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
		ch <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(d.Open), d.Receiver)
		ch <- prometheus.MustNewConstMetric(c.age, prometheus.GaugeValue, d.Age.Seconds(), d.Receiver)
	}
}
