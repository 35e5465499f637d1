package notify

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin/tocsin/alarm"
)

// A Depth is what waits in the outbox for one receiver.
type Depth struct {
	Receiver string
	Open     int           // intentions whose outcome is not stored yet
	Age      time.Duration // of the oldest of them
	Waited   time.Duration // Age without what passed before there was this Deliverer
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
		of.Waited = max(of.Waited, now.Sub(d.since(in)))
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

// since is from when on we could have delivered an intention.
func (d *Deliverer) since(in alarm.Intention) time.Time {
	if in.At.Before(d.began) {
		return d.began
	}
	return in.At
}

// Progress says since when the delivery waits that waits longest, or zero if none waits, and when the last
// attempt at any ended, however it ended. What passed before there was this Deliverer does not count. A
// heartbeat judges by them whether the outbox stands still.
func (d *Deliverer) Progress() (waiting, ended time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, in := range d.open { // the order does not show: the oldest counts
		if since := d.since(in); waiting.IsZero() || since.Before(waiting) {
			waiting = since
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
