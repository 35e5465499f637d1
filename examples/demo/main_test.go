package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// find returns the value of a series so long after the shop opened.
func find(t *testing.T, open time.Duration, series string) float64 {
	t.Helper()
	for _, s := range samples(open) {
		if s.series == series {
			return s.value
		}
	}
	require.Fail(t, "no such series", series)
	return 0
}

// TestShopComesRound has everything that the rules watch be ill at some time within the first minutes,
// and well at another.
func TestShopComesRound(t *testing.T) {
	type instants struct{ ill, well time.Duration }
	above := map[string]float64{
		`shop_queue_depth{queue="mail"}`:                    100,
		`shop_error_ratio{service="checkout",team="web"}`:   0.05,
		`shop_latency_seconds{service="search",team="web"}`: 1,
		`shop_disk_used_ratio{host="db1",team="db"}`:        0.95,
	}
	for series, when := range map[string]instants{
		`shop_queue_depth{queue="mail"}`:                    {10 * time.Second, 0},
		`shop_error_ratio{service="checkout",team="web"}`:   {20 * time.Second, 70 * time.Second},
		`shop_latency_seconds{service="search",team="web"}`: {30 * time.Second, 45 * time.Second},
		`shop_disk_used_ratio{host="db1",team="db"}`:        {40 * time.Second, 190 * time.Second},
		`shop_node_up{node="n2"}`:                           {90 * time.Second, 130 * time.Second},
		`shop_pod_up{node="n2",pod="cart-4"}`:               {90 * time.Second, 130 * time.Second},
	} {
		ill := func(open time.Duration) bool {
			if limit, ok := above[series]; ok {
				return find(t, open, series) > limit
			}
			return find(t, open, series) == 0
		}
		assert.True(t, ill(when.ill), series)
		assert.False(t, ill(when.well), series)
	}
}

// TestRulesWatchTheShop has every metric in rules.yml be one of the shop's.
func TestRulesWatchTheShop(t *testing.T) {
	rules, err := os.ReadFile("rules.yml")
	require.NoError(t, err)
	var page bytes.Buffer
	write(&page, samples(0))
	names := regexp.MustCompile(`shop_[a-z_]+`).FindAllString(string(rules), -1)
	require.NotEmpty(t, names)
	for _, name := range names {
		assert.Contains(t, page.String(), name+"{")
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var log tail
	for i := range 10_000 {
		fmt.Fprintf(&log, "line %d\n", i)
	}
	assert.LessOrEqual(t, len(log.b), 8<<10)
	assert.True(t, strings.HasSuffix(string(log.b), "line 9999\n"))
}
