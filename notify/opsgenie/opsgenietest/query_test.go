package opsgenietest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestQuery(t *testing.T) {
	a := &Alert{
		Status: "open", Alias: "prod/ops/1", Tags: []string{"tocsin", "instance_prod"}, Message: "disk is full",
		Priority: "P1", Count: 3, CreatedAt: time.UnixMilli(1700000000000),
	}
	for query, want := range map[string]bool{
		``: true,
		`status: open AND tag: "tocsin" AND tag: "instance_prod"`: true,
		`status:open tag:tocsin`:                                  true,
		`status: closed OR priority: P1`:                          true,
		`status: closed OR priority: P1 AND count:4`:              false,
		`(status: closed OR priority: P1) count:3`:                true,
		`NOT status: open`:                                        false,
		`message: disk*`:                                          true,
		`message: "disk is full"`:                                 true,
		`tag: tocs`:                                               false,
		`createdAt <= 1700000000000`:                              true,
		`createdAt < 1700000000000`:                               false,
		`count: > 2`:                                              true,
		`alias: "prod/ops/1"`:                                     true,
	} {
		match, err := parseQuery(query)
		require.NoError(t, err, query)
		assert.Equal(t, want, match(a), query)
	}
	for _, bad := range []string{"status", "status:", "(status: open", "status: open)", "shape: round", "count: many", "AND", "NOT", "status < 5"} {
		_, err := parseQuery(bad)
		assert.Error(t, err, bad)
	}
	closed := *a
	closed.Status = "closed"
	match, err := parseQuery(`alias: "prod/ops/1"`)
	require.NoError(t, err)
	assert.False(t, match(&closed), "an alias finds the open alert only")
}

func FuzzQuery(f *testing.F) {
	f.Add(`status: open AND (tag: "a b" OR NOT count >= 5)`)
	f.Add(`((((`)
	f.Add(`"`)
	f.Fuzz(func(t *testing.T, query string) {
		if match, err := parseQuery(query); err == nil {
			match(&Alert{Status: "open", Tags: []string{"a"}})
		}
	})
}
