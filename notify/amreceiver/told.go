package amreceiver

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/prometheus/alertmanager/nflog/nflogpb"

	"github.com/tocsin/tocsin/alarm"
)

// ImportTold reads Alertmanager's notification log: what each integration knows of each group, sorted
// by key. What Alertmanager would have forgotten by now is left out.
//
// If the file is damaged, the error says how far it could be read, and which entries are left out;
// the others are returned.
func ImportTold(r io.Reader, now time.Time) ([]alarm.Told, error) {
	byKey := map[alarm.IntentionKey]alarm.Told{}
	err := readSnapshot(r, func(e *nflogpb.MeshEntry) error {
		told, err := convertEntry(e.GetEntry())
		if err != nil {
			return err
		}
		old, err := expired(e.GetExpiresAt(), now)
		if err != nil {
			return err
		}
		if old {
			delete(byKey, told.Key) // the later entry counts
			return nil
		}
		byKey[told.Key] = told
		return nil
	})
	var all []alarm.Told
	for _, told := range byKey {
		all = append(all, told)
	}
	slices.SortFunc(all, func(a, b alarm.Told) int {
		return cmp.Or(
			cmp.Compare(a.Key.Receiver, b.Key.Receiver),
			cmp.Compare(a.Key.Integration, b.Key.Integration),
			cmp.Compare(a.Key.Group, b.Key.Group))
	})
	return all, err
}

func convertEntry(e *nflogpb.Entry) (alarm.Told, error) {
	r := e.GetReceiver()
	if r.GetGroupName() == "" || r.GetIntegration() == "" {
		return alarm.Told{}, errors.New("notification without a receiver")
	}
	if !utf8.Valid(e.GetGroupKey()) {
		return alarm.Told{}, errors.New("group key is not UTF-8")
	}
	if err := e.GetTimestamp().CheckValid(); err != nil {
		return alarm.Told{}, fmt.Errorf("time: %w", err)
	}
	data, err := encode(e)
	if err != nil {
		return alarm.Told{}, err
	}
	firing := set(e.GetFiringAlerts())
	return alarm.Told{
		Key: alarm.IntentionKey{
			Receiver:    r.GetGroupName(),
			Integration: fmt.Sprintf("%s[%d]", r.GetIntegration(), r.GetIdx()),
			Group:       string(e.GetGroupKey()),
		},
		At:   e.GetTimestamp().AsTime(),
		Sets: alarm.ToldSets{Firing: firing, Resolved: set(e.GetResolvedAlerts())},
		Open: slices.Clone(firing),
		Data: data,
	}, nil
}

// set returns the hashes sorted, each once.
func set(hashes []uint64) []uint64 {
	sorted := slices.Clone(hashes)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
