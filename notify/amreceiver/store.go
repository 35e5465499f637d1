package amreceiver

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/tocsin/tocsin/alarm"
)

// openStore returns the integration's store for a delivery, filled with its data unless it opens the
// group anew (then Alertmanager starts with an empty store), and what the store was made of. If the
// data is not readable the store is empty.
func openStore(d *alarm.Delivery) (*nflog.Store, *nflogpb.Entry, error) {
	entry := &nflogpb.Entry{}
	if d.Reason == alarm.NotifyFirst || len(d.Data) == 0 {
		return nflog.NewStore(entry), entry, nil
	}
	if err := proto.Unmarshal(d.Data, entry); err != nil {
		entry = &nflogpb.Entry{}
		return nflog.NewStore(entry), entry, fmt.Errorf("decode data: %w", err)
	}
	return nflog.NewStore(entry), entry, nil
}

// closeStore returns the data to keep.
func closeStore(store *nflog.Store, before *nflogpb.Entry) ([]byte, error) {
	if reflect.DeepEqual(store, nflog.NewStore(before)) { // as nearly always
		return encode(before)
	}
	after, err := contents(store)
	if err != nil {
		return nil, err
	}
	return encode(after)
}

// encode returns the data of an entry, nil if there is none.
func encode(e *nflogpb.Entry) ([]byte, error) {
	if len(e.GetReceiverData()) == 0 {
		return nil, nil
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(&nflogpb.Entry{ReceiverData: e.GetReceiverData()})
	if err != nil {
		return nil, fmt.Errorf("encode data: %w", err)
	}
	return data, nil
}

// contents reads a store out. A store does not list its keys; only a notification log that was given
// the store knows them, so it is given to one that lives for this moment.
func contents(store *nflog.Store) (*nflogpb.Entry, error) {
	log, err := nflog.New(nflog.Options{Metrics: prometheus.NewRegistry(), Retention: time.Hour})
	if err != nil {
		return nil, fmt.Errorf("read store: %w", err)
	}
	const group = "group"
	receiver := &nflogpb.Receiver{}
	if err := log.Log(receiver, group, nil, nil, store, 0); err != nil {
		return nil, fmt.Errorf("read store: %w", err)
	}
	entries, err := log.Query(nflog.QReceiver(receiver), nflog.QGroupKey(group))
	if err != nil {
		return nil, fmt.Errorf("read store: %w", err)
	}
	if len(entries) != 1 {
		return nil, errors.New("read store: no entry")
	}
	return entries[0], nil
}
