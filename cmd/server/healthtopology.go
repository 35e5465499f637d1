package server

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/discovery"
)

// topologyPart is whose the rows are in which the topology is kept, one for each namespace: so a server that
// starts or takes over knows at once what explains what.
const topologyPart = "topology"

// How often the topology may change: each time everything is judged again.
const (
	topologyEvery = 5 * time.Second
	topologyShare = 30 // at most one part in so many of the time is spent on it
)

// A liveTopology is what health says of what depends on what.
type liveTopology struct {
	mu     sync.Mutex // guards what is below
	shards shards     // nil: not known yet
	all    alarm.Entities
	next   time.Time // when it is looked at again
}

// Shards are entities by the cluster and the namespace that they have in common.
type shards map[string]alarm.Entities

func shardsOf(all alarm.Entities) shards {
	s := shards{}
	for i := range all {
		key := string(all[i].Labels["cluster"] + "/" + all[i].Labels["namespace"])
		s[key] = append(s[key], all[i])
	}
	return s
}

func (s shards) entities() alarm.Entities {
	var all alarm.Entities
	for _, key := range slices.Sorted(maps.Keys(s)) {
		all = append(all, s[key]...)
	}
	return all
}

// at returns what is known of the topology: what was seen last, or else what is stored.
func (t *liveTopology) at(s *alarm.Stored) alarm.Entities {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shards == nil {
		t.shards = readShards(s.Rows)
		t.all = t.shards.entities()
	}
	return t.all
}

// set replaces what is known, and returns what was.
func (t *liveTopology) set(s shards) (before shards) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, t.shards, t.all = t.shards, s, s.entities()
	return before
}

// keep leaves as they were the namespaces of services that did not say yet what they depend on, and what these
// share with others.
func (s shards) keep(before shards, unread []discovery.Key) {
	for i, k := range unread {
		if entities, known := before[k.Cluster+"/"+k.Namespace]; known {
			s[k.Cluster+"/"+k.Namespace] = entities
		}
		shared := k.Cluster + "/"
		if len(before[shared]) == 0 || i > 0 && unread[i-1].Cluster == k.Cluster {
			continue
		}
		all := slices.Concat(s[shared], before[shared])
		slices.SortStableFunc(all, func(a, b alarm.Entity) int { return strings.Compare(a.Name, b.Name) })
		s[shared] = slices.CompactFunc(all, func(a, b alarm.Entity) bool { return a.Name == b.Name })
	}
}

func readShards(rows []alarm.Row) shards {
	s := shards{}
	for _, r := range rows {
		if r.Part != topologyPart {
			continue
		}
		text, err := s2.Decode(nil, r.Value)
		var entities alarm.Entities
		if err == nil {
			err = json.Unmarshal(text, &entities)
		}
		if err == nil { // a damaged one is written again when it is seen
			s[r.Key] = entities
		}
	}
	return s
}

// rowsFrom are the rows that differ from those of before.
func (s shards) rowsFrom(before shards) ([]alarm.Row, error) {
	var rows []alarm.Row
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if reflect.DeepEqual(s[key], before[key]) {
			continue
		}
		text, err := json.Marshal(s[key])
		if err != nil {
			return nil, err
		}
		rows = append(rows, alarm.Row{Part: topologyPart, Key: key, Value: s2.Encode(nil, text)})
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, there := s[key]; !there {
			rows = append(rows, alarm.Row{Part: topologyPart, Key: key})
		}
	}
	return rows, nil
}

// followTopology has alerts judged by what the board says depends on what, if that is asked for and another
// than before. Namespaces of agents that were not heard since the start stay as they were stored.
func (r *healthRun) followTopology(ctx context.Context, now time.Time, board *discovery.Board, cycles []discovery.Cycle) {
	if !r.settings.trees && !r.settings.workloads {
		return
	}
	if r.settings.trees && r.logs != nil {
		r.readTrees(ctx, now, board, cycles)
	}
	t := r.topology
	t.mu.Lock()
	before, due := t.shards, !now.Before(t.next)
	t.mu.Unlock()
	if !due || before == nil { // the engine has not begun
		return
	}
	began := time.Now()
	next := shardsOf(board.Topology(r.settings.trees, r.settings.workloads))
	if !board.Complete() {
		for key, entities := range before {
			if _, seen := next[key]; !seen {
				next[key] = entities
			}
		}
	}
	if r.settings.trees {
		next.keep(before, board.Unread())
	}
	rows, err := next.rowsFrom(before)
	if err == nil && len(rows) > 0 {
		t.set(next)
		if err = r.silences.Submit(ctx, alarm.Input{Rows: rows, Reload: &alarm.Reload{Note: "topology"}}); err != nil {
			t.set(before)
		} else {
			r.log.Info("topology changed", "namespaces", len(rows))
		}
	}
	if err != nil && ctx.Err() == nil {
		r.log.Error("what depends on what was not taken over", "err", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next = time.Now().Add(max(topologyEvery, topologyShare*time.Since(began)))
}

// A readTree says which document of a service was read last.
type readTree struct {
	hash    discovery.Hash
	missing time.Time // it was looked for in vain then
}

// How many documents are read in one go, and when one that was not there is looked for again.
const (
	treesAtOnce = 200
	treesAgain  = time.Minute
)

// readTrees reads the documents that changed: what agents write of each cycle is without them.
func (r *healthRun) readTrees(ctx context.Context, now time.Time, board *discovery.Board, cycles []discovery.Cycle) {
	var lacking []*discovery.Health
	for i := range cycles {
		for j := range cycles[i].Results {
			h := &cycles[i].Results[j]
			known, met := r.trees[h.Target.Key()]
			switch {
			case h.Format == discovery.NoFormat || met && known.hash == h.Hash && known.missing.IsZero():
			case len(h.Nodes) > 0: // it was asked here
				r.trees[h.Target.Key()] = readTree{hash: h.Hash}
				board.SetTree(h.Target.Key(), h.Nodes)
			case len(lacking) < treesAtOnce && (!met || known.hash != h.Hash || now.Sub(known.missing) > treesAgain):
				of := *h
				lacking = append(lacking, &of)
			}
		}
	}
	if len(lacking) == 0 {
		return
	}
	within, cancel := context.WithTimeout(ctx, r.settings.Probe.Interval) // alarms wait for it
	defer cancel()
	if err := r.logs.Documents(within, lacking); err != nil {
		if ctx.Err() == nil {
			r.log.Warn("documents were not read for the topology", "err", err)
		}
		return
	}
	for _, h := range lacking {
		k := h.Target.Key()
		if len(h.Raw) == 0 {
			r.trees[k] = readTree{hash: h.Hash, missing: now}
			continue
		}
		r.trees[k] = readTree{hash: h.Hash}
		board.SetTree(k, discovery.Parse(discovery.Answer{
			Status: h.HTTPStatus, ContentType: h.ContentType, Body: h.Raw, Format: h.Target.Format, Expect: h.Target.Expect, At: h.At,
		}).Nodes)
	}
}
