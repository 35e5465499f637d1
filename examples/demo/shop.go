package main

import (
	"fmt"
	"io"
	"time"
)

// A sample is one value of a small shop that does not exist.
type sample struct {
	series string
	value  float64
}

// samples are the values of the shop so long after it opened. They come round every four minutes:
//
//	mail queue      too deep from 5 s on, for good
//	checkout        fails for 50 s, at 0:10 and 2:10
//	search          slow for 20 s of every 40: it flaps
//	disk of db1     fills up, is full from 0:30 to 3:00, and is cleaned
//	node n2         is down from 1:00 to 2:00, and its pods with it
func samples(open time.Duration) []sample {
	round := open % (4 * time.Minute)
	between := func(t, from, to time.Duration) bool { return t >= from && t < to }
	pick := func(bad bool, ill, well float64) float64 {
		if bad {
			return ill
		}
		return well
	}
	const s = time.Second
	failing := between(round%(2*time.Minute), 10*s, 60*s)
	slow := between(round%(40*s), 20*s, 40*s)
	full := min(round.Seconds()/30, 1)
	if round >= 3*time.Minute {
		full = 0.2
	}
	down := between(round, 60*s, 120*s)
	list := []sample{
		{`shop_queue_depth{queue="mail"}`, pick(open >= 5*s, 120+20*(open%(7*s)).Seconds(), 3)},
		{`shop_queue_depth{queue="orders"}`, 4},
		{`shop_error_ratio{service="checkout",team="web"}`, pick(failing, 0.31, 0.002)},
		{`shop_error_ratio{service="search",team="web"}`, 0.001},
		{`shop_latency_seconds{service="search",team="web"}`, pick(slow, 2.4, 0.15)},
		{`shop_disk_used_ratio{host="db1",team="db"}`, 0.7 + 0.28*full},
		{`shop_node_up{node="n1"}`, 1},
		{`shop_node_up{node="n2"}`, pick(down, 0, 1)},
	}
	for i := range 5 {
		list = append(list, sample{fmt.Sprintf(`shop_pod_up{node="n2",pod="cart-%d"}`, i), pick(down, 0, 1)})
	}
	return list
}

// write prints the samples as exporters do.
func write(w io.Writer, list []sample) {
	for _, s := range list {
		fmt.Fprintf(w, "%s %g\n", s.series, s.value)
	}
}
