package alarm

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/prometheus/common/model"
)

// kept is something sorted that is kept until what it was made of changes. Readers make it, with the
// engine's lock held for reading; the engine drops it, with the lock held.
type kept[T any] struct{ list atomic.Pointer[[]T] }

// get returns the list, made anew if there is none. Nobody may modify it.
func (k *kept[T]) get(sorted func() []T) []T {
	if list := k.list.Load(); list != nil {
		return *list
	}
	list := sorted()
	k.list.Store(&list)
	return list
}

func (k *kept[T]) drop() {
	if k.list.Load() != nil {
		k.list.Store(nil)
	}
}

// entriesInOrder are all alerts that are known, by fingerprint. It is called with mu held for reading.
func (e *Engine) entriesInOrder() []*entry { return e.order.get(e.sortedEntries) }

// groupsInOrder are the groups that readers are shown, in Alertmanager's order. It is called with mu
// held for reading.
func (e *Engine) groupsInOrder() []*group {
	return e.groupOrder.get(func() []*group {
		shown := make([]*group, 0, len(e.groups))
		for _, g := range e.groups {
			if g.shown() {
				shown = append(shown, g)
			}
		}
		sortGroups(shown)
		return shown
	})
}

// membersInOrder are the group's members, as its messages list them. It is called with the engine's mu
// held for reading.
func (g *group) membersInOrder() []*entry {
	return g.order.get(func() []*entry {
		members := make([]*entry, 0, len(g.members))
		for _, en := range g.members {
			members = append(members, en)
		}
		sortForMessage(members)
		return members
	})
}

// sortGroups sorts by labels, then by receiver.
func sortGroups(groups []*group) {
	type keyed struct {
		*group
		pairs []labelPair
	}
	keys := make([]keyed, 0, len(groups))
	for _, g := range groups {
		keys = append(keys, keyed{g, sortedPairs(nil, g.Labels)})
	}
	slices.SortFunc(keys, func(a, b keyed) int {
		return cmp.Or(comparePairs(a.pairs, b.pairs), strings.Compare(a.Receiver, b.Receiver), strings.Compare(a.RouteID, b.RouteID))
	})
	for i, k := range keys {
		groups[i] = k.group
	}
}

// sortForMessage is CompareForMessage for many.
func sortForMessage(entries []*entry) {
	type keyed struct {
		messageKey
		entry *entry
	}
	keys := make([]keyed, 0, len(entries))
	for _, en := range entries {
		keys = append(keys, keyed{messageKeyOf(en.alert.Labels), en})
	}
	slices.SortFunc(keys, func(a, b keyed) int { return a.compare(&b.messageKey) })
	for i, k := range keys {
		entries[i] = k.entry
	}
}

// CompareForMessage orders alerts as Alertmanager's messages and its API's groups do: by job, then by
// instance (an alert that has none comes last), then by all labels.
func CompareForMessage(a, b *Alert) int {
	x, y := messageKeyOf(a.Labels), messageKeyOf(b.Labels)
	return x.compare(&y)
}

// A messageKey is what an alert is sorted by.
type messageKey struct {
	labels              model.LabelSet
	job, instance       model.LabelValue
	hasJob, hasInstance bool
}

func messageKeyOf(ls model.LabelSet) messageKey {
	k := messageKey{labels: ls}
	k.job, k.hasJob = ls[model.JobLabel]
	k.instance, k.hasInstance = ls[model.InstanceLabel]
	return k
}

func (k *messageKey) compare(o *messageKey) int {
	switch {
	case k.hasJob != o.hasJob:
		return presentFirst(k.hasJob)
	case k.job != o.job:
		return strings.Compare(string(k.job), string(o.job))
	case k.hasInstance != o.hasInstance:
		return presentFirst(k.hasInstance)
	case k.instance != o.instance:
		return strings.Compare(string(k.instance), string(o.instance))
	}
	var left, right [16]labelPair
	return comparePairs(sortedPairs(left[:0], k.labels), sortedPairs(right[:0], o.labels))
}

// presentFirst is -1 if the left one has what the right one lacks.
func presentFirst(left bool) int {
	if left {
		return -1
	}
	return 1
}

type labelPair struct{ name, value string }

// sortedPairs appends a set's pairs to pairs, which is empty, sorted by name.
func sortedPairs(pairs []labelPair, ls model.LabelSet) []labelPair {
	for name, value := range ls {
		pairs = append(pairs, labelPair{string(name), string(value)})
	}
	slices.SortFunc(pairs, func(a, b labelPair) int { return strings.Compare(a.name, b.name) })
	return pairs
}

// comparePairs is the order of model.LabelSet.Before: fewer labels first; then the set that lacks the
// smallest name that only one of them has, unless a value differs before.
func comparePairs(a, b []labelPair) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	for i := range a {
		if c := strings.Compare(a[i].name, b[i].name); c != 0 {
			return -c
		}
		if c := strings.Compare(a[i].value, b[i].value); c != 0 {
			return c
		}
	}
	return 0
}
