package cachetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/cache"
	"github.com/tocsin/tocsin/discovery"
)

// epoch is when the tests begin.
func epoch() time.Time { return time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC) }

func writer(t *testing.T, s cache.Store) *cache.Writer {
	t.Helper()
	w, err := cache.NewWriter(s, cache.Options{})
	require.NoError(t, err)
	return w
}

// All tiers say what was written, and a detail has the documents.
func tiers(t *testing.T, s cache.Store) {
	ctx := t.Context()
	w, r := writer(t, s), cache.NewReader(s, cache.ReaderOptions{})
	_, err := r.View(ctx, epoch())
	require.ErrorIs(t, err, cache.ErrEmpty)
	results := Results(20, 3, epoch(), "one", discovery.OK)
	results[4] = Health("env-0001", "service-01", epoch(), "broken", discovery.Fail)
	id, err := w.Write(ctx, epoch(), results)
	require.NoError(t, err)

	v, err := r.View(ctx, epoch())
	require.NoError(t, err)
	assert.Equal(t, id, v.ID)
	assert.Zero(t, v.Stale)
	assert.Equal(t, cache.Summary{Clusters: 10, Environments: 20, Active: 20, Services: 60, OK: 59, Fail: 1, FailingActive: 1}, v.Summary)
	key := cache.Key{Cluster: "cluster-1", Namespace: "env-0001"}
	assert.Equal(t, []cache.FailingService{{
		Key: key, Environment: "ENV-0001", Service: "service-01", State: discovery.Fail, Message: "broken", FirstSeen: epoch(), FailCount: 1,
	}}, v.Failing())
	require.Len(t, v.Environments(), 20)
	assert.Equal(t, discovery.Fail, v.Environment(key).Worst())
	d, err := v.Detail(ctx, key)
	require.NoError(t, err)
	require.Len(t, d.Services, 3)
	assert.Equal(t, string(results[4].Raw), string(d.Service("service-01").Raw))
	assert.Equal(t, results[4].Target, d.Service("service-01").Target)
	tree := d.Service("service-01").Tree()
	assert.Equal(t, "broken", discovery.Find(tree.Nodes, "db").Message)
	_, err = v.Detail(ctx, cache.Key{Cluster: "no", Namespace: "no"})
	require.ErrorIs(t, err, cache.ErrUnknown)

	// It goes on failing, gives no answer at all, and recovers.
	results[4] = Health("env-0001", "service-01", epoch().Add(30*time.Second), "broken", discovery.Fail)
	detail := v.Environment(key).Detail
	_, err = w.Write(ctx, epoch().Add(30*time.Second), results)
	require.NoError(t, err)
	v, err = r.View(ctx, epoch().Add(30*time.Second))
	require.NoError(t, err)
	assert.Equal(t, 2, v.Failing()[0].FailCount)
	assert.Equal(t, epoch(), v.Failing()[0].FirstSeen)
	assert.Equal(t, detail, v.Environment(key).Detail, "nothing in it changed")
	results[4] = discovery.NoAnswer(results[4].Target, epoch().Add(time.Minute), discovery.WhyRefused, "refused")
	_, err = w.Write(ctx, epoch().Add(time.Minute), results)
	require.NoError(t, err)
	v, err = r.View(ctx, epoch().Add(time.Minute))
	require.NoError(t, err)
	assert.Equal(t, 3, v.Failing()[0].FailCount)
	d, err = v.Detail(ctx, key)
	require.NoError(t, err)
	assert.Contains(t, string(d.Service("service-01").Raw), "broken", "the last document stays")
	assert.True(t, d.Service("service-01").Old)
	results[4] = Health("env-0001", "service-01", epoch().Add(90*time.Second), "fine", discovery.OK)
	_, err = w.Write(ctx, epoch().Add(90*time.Second), results)
	require.NoError(t, err)
	v, err = r.View(ctx, epoch().Add(90*time.Second))
	require.NoError(t, err)
	assert.Empty(t, v.Failing())
	v, err = r.View(ctx, epoch().Add(10*time.Minute))
	require.NoError(t, err)
	assert.Equal(t, cache.Stale{Since: epoch().Add(90 * time.Second), Reason: "there was no refresh since"}, v.Stale)
}

// Upstream with 60 % of the services changes nothing but that the cache says it is stale; with 80 % the
// others are gone.
func threshold(t *testing.T, s cache.Store) {
	ctx := t.Context()
	w, r := writer(t, s), cache.NewReader(s, cache.ReaderOptions{})
	all := Results(100, 2, epoch(), "one", discovery.OK)
	id, err := w.Write(ctx, epoch(), all)
	require.NoError(t, err)
	later := epoch().Add(30 * time.Second)
	_, err = w.Write(ctx, later, Results(60, 2, later, "two", discovery.Fail))
	require.ErrorIs(t, err, cache.ErrPartial)
	require.ErrorContains(t, err, "120 of 200")
	require.NoError(t, w.MarkStale(ctx, later))
	v, err := r.View(ctx, later)
	require.NoError(t, err)
	assert.Equal(t, id, v.ID)
	assert.Equal(t, 200, v.Summary.OK)
	assert.Equal(t, cache.Stale{Since: epoch(), Reason: "upstream returned too few of the known services"}, v.Stale)
	d, err := v.Detail(ctx, v.Environments()[70].Key)
	require.NoError(t, err)
	assert.Equal(t, "one", d.Services[0].Message)
	_, err = w.Write(ctx, later, Results(80, 2, later, "two", discovery.OK))
	require.NoError(t, err)
	v, err = r.View(ctx, later)
	require.NoError(t, err)
	assert.Zero(t, v.Stale)
	assert.Equal(t, 160, v.Summary.Services)

	other := writer(t, s)
	_, err = other.Write(ctx, later, all)
	require.ErrorIs(t, err, cache.ErrNotPublisher)
	require.ErrorIs(t, other.MarkStale(ctx, later), cache.ErrNotPublisher)
	require.NoError(t, w.Release(ctx))
	_, err = other.Write(ctx, later, all)
	require.NoError(t, err)
	v, err = r.View(ctx, later)
	require.NoError(t, err)
	assert.Equal(t, 200, v.Summary.Services)
}

// A detail that the store lost is built again.
func evicted(t *testing.T, s cache.Store) {
	ctx := t.Context()
	w, r := writer(t, s), cache.NewReader(s, cache.ReaderOptions{})
	all := Results(10, 2, epoch(), "one", discovery.OK)
	_, err := w.Write(ctx, epoch(), all)
	require.NoError(t, err)
	v, err := r.View(ctx, epoch())
	require.NoError(t, err)
	lost := v.Environments()[3]
	c, err := s.Current(ctx)
	require.NoError(t, err)
	require.NoError(t, w.Release(ctx))
	l := acquire(t, s, "evil")
	require.NoError(t, s.Publish(ctx, l, cache.Flip{Base: c.ID, ID: c.ID, Head: c.Head, Drop: []string{lost.Detail}}))
	gone(t, s, lost.Detail)
	_, err = v.Detail(ctx, lost.Key)
	require.ErrorIs(t, err, cache.ErrExpired)
	require.Eventually(t, func() bool {
		_, err := w.Write(context.WithoutCancel(ctx), epoch().Add(time.Minute), all)
		return err == nil
	}, soon, tick)
	v, err = r.View(ctx, epoch())
	require.NoError(t, err)
	_, err = v.Detail(ctx, lost.Key)
	require.NoError(t, err)
	assert.NotEqual(t, lost.Detail, v.Environment(lost.Key).Detail)
	assert.Equal(t, epoch(), v.Environments()[4].Built, "the others were left alone")
}

// Search finds by prefix first, then by what is within, in any case, and never twice; as many as asked for.
func searches(t *testing.T, s cache.Store) {
	ctx := t.Context()
	var all []discovery.Health
	for i := range 300 {
		all = append(all, Health(fmt.Sprintf("env-%04d", i), "Basket", epoch(), "one", discovery.OK))
	}
	all = append(all, Health("Ünï-0", "a\x00b-basket", epoch(), "one", discovery.OK), Health("eeee-0", "x", epoch(), "one", discovery.OK))
	_, err := writer(t, s).Write(ctx, epoch(), all)
	require.NoError(t, err)
	v, err := cache.NewReader(s, cache.ReaderOptions{}).View(ctx, epoch())
	require.NoError(t, err)
	find := func(query string, limit int) []string {
		hits, err := v.Search(ctx, query, limit)
		require.NoError(t, err)
		var names []string
		for _, h := range hits {
			names = append(names, string(h.Kind)+" "+h.Name)
		}
		return names
	}
	assert.Equal(t, []string{"service Basket"}, find("bask", 10)[:1])
	assert.Equal(t, []string{"environment ENV-0042"}, find("v-0042", 10))
	assert.Equal(t, []string{"environment ÜNÏ-0"}, find("nï", 10))
	assert.Equal(t, []string{"cluster cluster-7"}, find("CLUSTER-7", 10))
	assert.Len(t, find("e", 500), 301+10+2-1, "environments, clusters and services that have an e within")
	assert.Len(t, find("e", 7), 7)
	assert.Len(t, find("", 5), 5)
	assert.Empty(t, find("nothing like it", 5))
	for _, name := range find("00", 1000) {
		assert.Contains(t, strings.ToLower(name), "00")
	}
}
