package amreceiver

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/matcher"
)

// The files in testdata were written by Debian's Alertmanager 0.25.0 with this configuration:
//
//	route: {receiver: ops, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 4h}
//	receivers:
//	- name: ops
//	  webhook_configs: [{url: ...}, {url: ..., send_resolved: false}]
//
// Two silences were added and one of them expired; NodeDown fired on n1 and n2, Slow for job api,
// and NodeDown on n1 resolved.
var written = time.Date(2026, 11, 21, 10, 4, 14, 0, time.UTC)

func open(t *testing.T, name string) io.Reader {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return bytes.NewReader(b)
}

func TestImportSilencesOf025(t *testing.T) {
	got, err := ImportSilences(open(t, "silences-0.25"), written)
	require.NoError(t, err)
	at := func(clock string) time.Time {
		parsed, err := time.Parse(time.RFC3339Nano, clock)
		require.NoError(t, err)
		return parsed
	}
	for _, s := range got { // API v2, which the expectation comes from, cuts to milliseconds
		s.StartsAt, s.EndsAt = s.StartsAt.Truncate(time.Millisecond), s.EndsAt.Truncate(time.Millisecond)
		s.UpdatedAt = s.UpdatedAt.Truncate(time.Millisecond)
	}
	want := []*alarm.Silence{{
		ID:       "5973d2cd-f4a9-487a-a978-2f50be1c1151",
		Matchers: matcher.MustParse(`alertname=~"Disk.*",env!="prod",host="db1",zone!~"eu-.*"`),
		StartsAt: at("2026-11-21T10:04:03.892Z"), EndsAt: at("2026-11-25T14:04:02.852Z"),
		UpdatedAt: at("2026-11-21T10:04:03.892Z"), CreatedBy: "alice", Comment: "patch night",
	}, {
		ID:       "5f699f2f-6691-4f6e-ab96-f0727b7039ef",
		Matchers: matcher.MustParse(`alertname="Old"`),
		StartsAt: at("2026-11-21T10:04:03.967Z"), EndsAt: at("2026-11-21T10:04:04.011Z"),
		UpdatedAt: at("2026-11-21T10:04:04.011Z"), CreatedBy: "bob", Comment: "done",
	}}
	assert.Equal(t, want, got)
	assert.Equal(t, alarm.SilenceActive, got[0].StateAt(written))
	assert.Equal(t, alarm.SilenceExpired, got[1].StateAt(written))

	later, err := ImportSilences(open(t, "silences-0.25"), written.Add(120*time.Hour))
	require.NoError(t, err)
	require.Len(t, later, 1, "the retention of the expired one is over")
	assert.Equal(t, want[0].ID, later[0].ID)
}

func TestImportToldOf025(t *testing.T) {
	hash := func(ls model.LabelSet) uint64 { return alarm.Hash(ls) }
	n1 := hash(model.LabelSet{"alertname": "NodeDown", "node": "n1"})
	n2 := hash(model.LabelSet{"alertname": "NodeDown", "node": "n2"})
	slow := hash(model.LabelSet{"alertname": "Slow", "job": "api"})

	got, err := ImportTold(open(t, "nflog-0.25"), written)
	require.NoError(t, err)
	for i := range got {
		assert.WithinRange(t, got[i].At, written.Add(-20*time.Second), written)
		got[i].At = time.Time{}
	}
	key := func(integration, name string) alarm.IntentionKey {
		return alarm.IntentionKey{Receiver: "ops", Integration: integration, Group: `{}:{alertname="` + name + `"}`}
	}
	assert.Equal(t, []alarm.Told{
		{
			Key: key("webhook[0]", "NodeDown"), Open: []uint64{n2},
			Sets: alarm.ToldSets{Firing: []uint64{n2}, Resolved: []uint64{n1}},
		},
		{Key: key("webhook[0]", "Slow"), Open: []uint64{slow}, Sets: alarm.ToldSets{Firing: []uint64{slow}}},
		{
			Key: key("webhook[1]", "NodeDown"), Open: set([]uint64{n1, n2}),
			Sets: alarm.ToldSets{Firing: set([]uint64{n1, n2})},
		},
		{Key: key("webhook[1]", "Slow"), Open: []uint64{slow}, Sets: alarm.ToldSets{Firing: []uint64{slow}}},
	}, got)

	got, err = ImportTold(open(t, "nflog-0.25"), written.Add(8*time.Hour))
	require.NoError(t, err)
	assert.Empty(t, got, "Alertmanager keeps it for two repeat intervals")
}

func TestImportSilencesOfTheModule(t *testing.T) {
	silences, err := silence.New(silence.Options{Metrics: prometheus.NewRegistry(), Retention: time.Hour})
	require.NoError(t, err)
	now := time.Now().UTC()
	matchers := func(name string) *silencepb.MatcherSet {
		return &silencepb.MatcherSet{Matchers: []*silencepb.Matcher{
			{Type: silencepb.Matcher_REGEXP, Name: name, Pattern: "a|b"},
			{Type: silencepb.Matcher_NOT_EQUAL, Name: "env", Pattern: ""},
		}}
	}
	sil := &silencepb.Silence{
		MatcherSets: []*silencepb.MatcherSet{matchers("x"), matchers("ünïcode")},
		StartsAt:    timestamppb.New(now.Add(time.Minute)), EndsAt: timestamppb.New(now.Add(time.Hour)),
		CreatedBy: "alice", Comment: "both", Annotations: map[string]string{"ticket": "OPS-7"},
	}
	require.NoError(t, silences.Set(t.Context(), sil))
	var file bytes.Buffer
	_, err = silences.Snapshot(&file)
	require.NoError(t, err)

	got, err := ImportSilences(&file, now)
	require.NoError(t, err)
	second := uuid.NewSHA1(uuid.NameSpaceOID, []byte(sil.Id+"/1")).String()
	want := map[string]string{sil.Id: `{x=~"a|b",env!=""}`, second: `{ünïcode=~"a|b",env!=""}`}
	require.Len(t, got, 2)
	assert.Less(t, got[0].ID, got[1].ID)
	for _, s := range got {
		assert.Equal(t, want[s.ID], s.Matchers.String())
		assert.Equal(t, alarm.Silence{
			ID: s.ID, Matchers: s.Matchers, StartsAt: now.Add(time.Minute), EndsAt: now.Add(time.Hour),
			UpdatedAt: sil.UpdatedAt.AsTime(), CreatedBy: "alice", Comment: "both",
			Annotations: map[string]string{"ticket": "OPS-7"},
		}, *s)
	}
}

func TestImportToldOfTheModule(t *testing.T) {
	file, entry := logged(t)
	got, err := ImportTold(bytes.NewReader(file), time.Now())
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, []alarm.Told{{
		Key:  alarm.IntentionKey{Receiver: "ops/\n", Integration: "slack[3]", Group: "{}:{}"},
		At:   entry.Timestamp.AsTime(),
		Sets: alarm.ToldSets{Firing: []uint64{1, 5, 9}, Resolved: []uint64{2, 1 << 63}},
		Open: []uint64{1, 5, 9},
		Data: got[0].Data,
	}}, got)

	store, _, err := openStore(&alarm.Delivery{Data: got[0].Data})
	require.NoError(t, err)
	thread, _ := store.GetStr("threadTs")
	assert.Equal(t, "1700000000.1", thread)
}

// logged returns a file of Alertmanager's notification log with one entry.
func logged(t testing.TB) ([]byte, *nflogpb.Entry) {
	t.Helper()
	log, err := nflog.New(nflog.Options{Metrics: prometheus.NewRegistry(), Retention: time.Hour})
	require.NoError(t, err)
	store := nflog.NewStore(nil)
	store.SetStr("threadTs", "1700000000.1")
	receiver := &nflogpb.Receiver{GroupName: "ops/\n", Integration: "slack", Idx: 3}
	require.NoError(t, log.Log(receiver, "{}:{}", []uint64{9, 1, 5, 5}, []uint64{1 << 63, 2}, store, 0))
	entries, err := log.Query(nflog.QReceiver(receiver), nflog.QGroupKey("{}:{}"))
	require.NoError(t, err)
	var file bytes.Buffer
	_, err = log.Snapshot(&file)
	require.NoError(t, err)
	return file.Bytes(), entries[0]
}

func TestImportOfDamagedFiles(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	good := func(id string) *silencepb.MeshSilence {
		return &silencepb.MeshSilence{
			Silence: &silencepb.Silence{
				Id:       id,
				Matchers: []*silencepb.Matcher{{Name: "a", Pattern: "b"}},
				StartsAt: timestamppb.New(now), EndsAt: timestamppb.New(now), UpdatedAt: timestamppb.New(now),
			},
			ExpiresAt: timestamppb.New(now.Add(1)),
		}
	}
	with := func(change func(*silencepb.MeshSilence)) *silencepb.MeshSilence {
		s := good("bad")
		change(s)
		return s
	}
	tests := []struct {
		name string
		bad  *silencepb.MeshSilence
		want string
	}{
		{"no silence", &silencepb.MeshSilence{}, "silence without an ID"},
		{"no expiry", with(func(s *silencepb.MeshSilence) { s.ExpiresAt = nil }), "silence bad: expiry: "},
		{"no end", with(func(s *silencepb.MeshSilence) { s.Silence.EndsAt = nil }), "silence bad: start, end or update: "},
		{"year 12000", with(func(s *silencepb.MeshSilence) { s.Silence.EndsAt.Seconds = 1 << 48 }), "silence bad: start, end or update: "},
		{"no matchers", with(func(s *silencepb.MeshSilence) { s.Silence.Matchers = nil }), "silence bad: matcher set 0: no matchers"},
		{
			"bad expression",
			with(func(s *silencepb.MeshSilence) {
				s.Silence.Matchers[0].Type, s.Silence.Matchers[0].Pattern = silencepb.Matcher_REGEXP, "("
			}), `silence bad: matcher set 0: matcher of "a": `,
		},
		{
			"unknown type",
			with(func(s *silencepb.MeshSilence) { s.Silence.Matchers[0].Type = 9 }),
			"silence bad: matcher set 0: unknown matcher type 9",
		},
		{
			"no name", with(func(s *silencepb.MeshSilence) { s.Silence.Matchers[0].Name = "" }),
			`silence bad: matcher set 0: invalid label name ""`,
		},
		{
			"receivers", with(func(s *silencepb.MeshSilence) {
				s.Silence.ReceiverMatcherSets = []*silencepb.MatcherSet{{Matchers: s.Silence.Matchers}}
			}), "silence bad: matchers of receivers are not supported",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var file bytes.Buffer
			var at int
			for i, s := range []*silencepb.MeshSilence{good("one"), test.bad, good("two")} {
				if i == 1 {
					at = file.Len()
				}
				_, err := protodelim.MarshalTo(&file, s)
				require.NoError(t, err)
			}
			whole := bytes.Clone(file.Bytes())

			got, err := ImportSilences(&file, now)
			require.Error(t, err)
			assert.True(t, strings.HasPrefix(err.Error(), fmt.Sprintf("entry 2 at byte %d: %s", at, test.want)), err.Error())
			require.Len(t, got, 2, "the others are kept")
			assert.Equal(t, []string{"one", "two"}, []string{got[0].ID, got[1].ID})

			got, err = ImportSilences(bytes.NewReader(whole[:at-1]), now) // cut off within the first
			assert.EqualError(t, err, "entry 1 at byte 0, and all after it: unexpected EOF")
			assert.Empty(t, got)
		})
	}
}

func TestImportToldOfDamagedFiles(t *testing.T) {
	now := time.Now()
	entry := func() *nflogpb.MeshEntry {
		return &nflogpb.MeshEntry{
			Entry: &nflogpb.Entry{
				Receiver: &nflogpb.Receiver{GroupName: "ops", Integration: "webhook"},
				GroupKey: []byte("{}:{}"), Timestamp: timestamppb.New(now),
			},
			ExpiresAt: timestamppb.New(now.Add(time.Hour)),
		}
	}
	tests := []struct {
		name   string
		change func(*nflogpb.MeshEntry)
		want   string
	}{
		{"empty", func(e *nflogpb.MeshEntry) { e.Entry = nil }, "notification without a receiver"},
		{"no receiver", func(e *nflogpb.MeshEntry) { e.Entry.Receiver = nil }, "notification without a receiver"},
		{"key", func(e *nflogpb.MeshEntry) { e.Entry.GroupKey = []byte{0xff} }, "group key is not UTF-8"},
		{"time", func(e *nflogpb.MeshEntry) { e.Entry.Timestamp.Nanos = -1 }, "time: "},
		{"expiry", func(e *nflogpb.MeshEntry) { e.ExpiresAt = nil }, "expiry: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bad := entry()
			test.change(bad)
			var file bytes.Buffer
			for _, e := range []*nflogpb.MeshEntry{bad, entry()} {
				_, err := protodelim.MarshalTo(&file, e)
				require.NoError(t, err)
			}
			file.WriteByte(0x80) // half a length
			got, err := ImportTold(&file, now)
			require.ErrorContains(t, err, "entry 1 at byte 0: "+test.want)
			require.ErrorContains(t, err, "entry 3 at byte ")
			assert.Len(t, got, 1)
		})
	}
}

// Of several entries with one key the last counts, and if that one is over, none does.
func TestImportTheLastEntryCounts(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var silences, told bytes.Buffer
	for _, at := range []time.Time{now, now.Add(time.Second)} {
		for i, id := range []string{"a", "b"} {
			expires := timestamppb.New(now.Add(time.Minute))
			if i == 1 && at.After(now) {
				expires = timestamppb.New(now)
			}
			_, err := protodelim.MarshalTo(&silences, &silencepb.MeshSilence{ExpiresAt: expires, Silence: &silencepb.Silence{
				Id: id, Matchers: []*silencepb.Matcher{{Name: "a", Pattern: "b"}},
				StartsAt: timestamppb.New(now), EndsAt: timestamppb.New(now), UpdatedAt: timestamppb.New(at),
			}})
			require.NoError(t, err)
			_, err = protodelim.MarshalTo(&told, &nflogpb.MeshEntry{ExpiresAt: expires, Entry: &nflogpb.Entry{
				Receiver: &nflogpb.Receiver{GroupName: id, Integration: "x"}, Timestamp: timestamppb.New(at),
			}})
			require.NoError(t, err)
		}
	}
	gotSilences, err := ImportSilences(&silences, now)
	require.NoError(t, err)
	require.Len(t, gotSilences, 1)
	assert.Equal(t, "a", gotSilences[0].ID)
	assert.True(t, now.Add(time.Second).Equal(gotSilences[0].UpdatedAt))

	gotTold, err := ImportTold(&told, now)
	require.NoError(t, err)
	assert.Equal(t, []alarm.Told{{
		Key: alarm.IntentionKey{Receiver: "a", Integration: "x[0]"}, At: now.Add(time.Second).UTC(),
	}}, gotTold)
}

func FuzzImportSilences(f *testing.F) {
	for _, name := range []string{"silences-0.25", "nflog-0.25"} {
		b, err := os.ReadFile("testdata/" + name)
		require.NoError(f, err)
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := ImportSilences(bytes.NewReader(file), time.Time{})
		again, errAgain := ImportSilences(bytes.NewReader(file), time.Time{})
		assert.Equal(t, got, again)
		assert.Equal(t, fmt.Sprint(err), fmt.Sprint(errAgain))
		for _, s := range got {
			assert.NotEmpty(t, s.Matchers)
			_, err := s.EndsAt.MarshalJSON()
			assert.NoError(t, err)
			back, err := matcher.Parse(s.Matchers.String())
			require.NoError(t, err)
			assert.Equal(t, s.Matchers.String(), back.String())
		}
	})
}

func FuzzImportTold(f *testing.F) {
	for _, name := range []string{"silences-0.25", "nflog-0.25"} {
		b, err := os.ReadFile("testdata/" + name)
		require.NoError(f, err)
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	file, _ := logged(f)
	f.Add(file)
	f.Fuzz(func(t *testing.T, file []byte) {
		got, _ := ImportTold(bytes.NewReader(file), time.Time{})
		again, _ := ImportTold(bytes.NewReader(file), time.Time{})
		assert.Equal(t, got, again)
		for _, told := range got {
			assert.NoError(t, told.Key.Validate())
			assert.True(t, slices.IsSorted(told.Sets.Firing))
			_, _, err := openStore(&alarm.Delivery{Data: told.Data})
			assert.NoError(t, err)
		}
	})
}
