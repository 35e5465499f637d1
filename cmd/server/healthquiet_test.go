package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/silence"
	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/discovery"
)

func TestPlanQuiet(t *testing.T) {
	const after = time.Hour
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	k := cache.Key{Cluster: "a", Namespace: "shop"}
	env := func(life discovery.Life) []discovery.Environment {
		return []discovery.Environment{{Cluster: "a", Namespace: "shop", Name: "shop", Activity: discovery.Activity{Life: life}}}
	}
	plan := func(at time.Duration, life discovery.Life, before map[cache.Key]time.Time, silences ...*alarm.Silence) quietPlan {
		return planQuiet(start.Add(at), env(life), before, silences, after)
	}
	p := plan(0, discovery.Idle, nil)
	assert.Equal(t, map[cache.Key]time.Time{k: start}, p.since)
	assert.Empty(t, p.edits, "not for so long")
	assert.Empty(t, plan(after, discovery.Live, p.since).since, "it is counted anew")
	assert.Equal(t, p.since, plan(after, discovery.LifeUnknown, p.since).since, "not known: as it was")
	assert.Empty(t, plan(after, discovery.LifeUnknown, p.since).edits, "what is not known silences nothing")

	p = plan(after, discovery.Idle, p.since)
	require.Len(t, p.edits, 1)
	made := p.edits[0]
	assert.Equal(t, alarm.KindActivity, made.Kind)
	assert.Equal(t, alarm.SilenceActive, made.StateAt(start.Add(after)))
	assert.Equal(t, made.ID, p.silenced[k])

	assert.Empty(t, plan(2*after, discovery.Idle, p.since, made).edits)
	p = plan(2*after, discovery.Idle, nil, made)
	assert.Equal(t, start, p.since[k], "after a restart the silence says since when")
	assert.Equal(t, made.ID, p.silenced[k])
	p = plan(20*time.Hour, discovery.Idle, p.since, made)
	require.Len(t, p.edits, 1, "renewed")
	assert.Equal(t, made.ID, p.edits[0].ID)
	assert.Equal(t, start.Add(20*time.Hour+quietLease), p.edits[0].EndsAt)
	assert.Empty(t, plan(20*time.Hour, discovery.LifeUnknown, p.since, made).edits, "it runs out by itself")

	p = plan(2*after, discovery.Live, p.since, made)
	require.Len(t, p.edits, 1)
	assert.Equal(t, alarm.SilenceExpired, p.edits[0].StateAt(start.Add(2*after)), "heard again")
	assert.Empty(t, p.silenced)

	ended := silence.Expire(start.Add(2*after), made)
	p = plan(3*after, discovery.Idle, map[cache.Key]time.Time{k: start}, ended)
	assert.Empty(t, p.edits, "a person wants to hear of it")
	p = plan(9*after, discovery.Idle, map[cache.Key]time.Time{k: start.Add(5 * after)}, ended)
	assert.Len(t, p.edits, 1, "until it was live in between")
}
