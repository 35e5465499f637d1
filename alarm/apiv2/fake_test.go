package apiv2_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/alarm/apiv2"
	"github.com/tocsin/tocsin/alarm/matcher"
	"github.com/tocsin/tocsin/alarm/source"
)

// fake is an engine and a keeper of silences, as small as they can be: it judges everything anew at
// each reading.
type fake struct {
	mu       sync.Mutex
	tree     *dispatch.Route
	specs    []alarm.ReceiverSpec
	alerts   map[model.Fingerprint]*alarm.Alert
	silences []*alarm.Silence
	err      error
	gate     chan struct{} // if there is one, whoever reads waits until it is closed
}

type fakeError struct{ notFound, invalid bool }

func (e fakeError) Error() string  { return "silence not found" }
func (e fakeError) NotFound() bool { return e.notFound }
func (e fakeError) Invalid() bool  { return e.invalid }

func newFake(t testing.TB) *fake {
	t.Helper()
	cfg, err := config.Load(twinConfig)
	require.NoError(t, err)
	f := &fake{tree: dispatch.NewRoute(cfg.Route, nil), alerts: map[model.Fingerprint]*alarm.Alert{}}
	for _, r := range cfg.Receivers {
		f.specs = append(f.specs, alarm.ReceiverSpec{Name: r.Name, Labels: r.Labels})
	}
	return f
}

// newAPI returns our API over a fake, with a real push.
func newAPI(t testing.TB, f *fake, o apiv2.Options) *apiv2.API {
	t.Helper()
	push, err := source.NewPush("push", f, source.PushOptions{})
	require.NoError(t, err)
	a, err := apiv2.New(f, push, f, o)
	require.NoError(t, err)
	return a
}

func (f *fake) Submit(_ context.Context, in alarm.Input) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	for _, s := range in.Snapshots {
		for _, a := range s.Alerts {
			if old := f.alerts[a.Fingerprint()]; old != nil && old.StartsAt.Before(a.StartsAt) {
				a.StartsAt = old.StartsAt
			}
			f.alerts[a.Fingerprint()] = &a
		}
	}
	return nil
}

func (f *fake) Receivers() []alarm.ReceiverSpec { return f.specs }

func (f *fake) Matching(_ context.Context, ms matcher.Matchers) ([]alarm.Reading, error) {
	if f.gate != nil {
		<-f.gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []alarm.Reading
	for _, a := range f.alerts {
		if a.EndsAt.Before(time.Now()) || !ms.Matches(a.Labels) {
			continue
		}
		r := alarm.Reading{Alert: a, Verdict: f.judge(a)}
		for _, route := range f.tree.Match(a.Labels) {
			r.Receivers = append(r.Receivers, route.RouteOpts.Receiver)
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(x, y alarm.Reading) int { return cmp.Compare(x.Alert.Fingerprint(), y.Alert.Fingerprint()) })
	return list, f.err
}

func (f *fake) judge(a *alarm.Alert) *alarm.Verdict {
	v := &alarm.Verdict{}
	for _, s := range f.silences {
		if s.StateAt(time.Now()) == alarm.SilenceActive && s.Matchers.Matches(a.Labels) {
			v.Suppressions = append(v.Suppressions, alarm.Suppression{Reason: alarm.ReasonSilence, By: s.ID})
		}
	}
	for fp, cause := range f.alerts {
		if a.Labels["severity"] == "warning" && cause.Labels["severity"] == "critical" && cause.Labels["cluster"] == a.Labels["cluster"] {
			v.Suppressions = append(v.Suppressions, alarm.Suppression{Reason: alarm.ReasonInhibition, By: fp.String()})
		}
	}
	return v
}

func (f *fake) GroupsMatching(ctx context.Context, ms matcher.Matchers) ([]alarm.GroupReading, error) {
	readings, err := f.Matching(ctx, ms)
	byID := map[string]*alarm.GroupReading{}
	for _, r := range readings {
		for _, route := range f.tree.Match(r.Alert.Labels) {
			g := &alarm.Group{RouteID: route.ID(), Receiver: route.RouteOpts.Receiver, Labels: model.LabelSet{}}
			for name := range route.RouteOpts.GroupBy {
				if v, ok := r.Alert.Labels[name]; ok {
					g.Labels[name] = v
				}
			}
			if byID[g.ID()] == nil {
				byID[g.ID()] = &alarm.GroupReading{Group: g, MutedBy: mutedBy(g.RouteID)}
			}
			byID[g.ID()].Alerts = append(byID[g.ID()].Alerts, r)
		}
	}
	var list []alarm.GroupReading
	for _, g := range byID {
		slices.SortFunc(g.Alerts, func(x, y alarm.Reading) int { return alarm.CompareForMessage(x.Alert, y.Alert) })
		list = append(list, *g)
	}
	slices.SortFunc(list, func(x, y alarm.GroupReading) int {
		switch {
		case x.Group.Labels.Equal(y.Group.Labels):
			return strings.Compare(x.Group.Receiver, y.Group.Receiver)
		case x.Group.Labels.Before(y.Group.Labels):
			return -1
		default:
			return 1
		}
	})
	return list, err
}

func (f *fake) Set(_ context.Context, s alarm.Silence) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return "", f.err
	}
	if s.ID != "" {
		return "", fmt.Errorf("%w", fakeError{notFound: true})
	}
	if s.Matchers.Matches(nil) {
		return "", fakeError{invalid: true}
	}
	s.ID = fmt.Sprintf("00000000-0000-4000-8000-%012d", len(f.silences))
	if s.UpdatedAt = time.Now(); s.StartsAt.Before(s.UpdatedAt) {
		s.StartsAt = s.UpdatedAt
	}
	f.silences = append(f.silences, &s)
	return s.ID, nil
}

func (f *fake) Expire(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, s := range f.silences {
		if s.ID != id {
			continue
		}
		now, ended := time.Now(), *s
		if s.StateAt(now) == alarm.SilenceExpired {
			return nil
		}
		if s.StateAt(now) == alarm.SilencePending {
			ended.StartsAt = now
		}
		ended.EndsAt, ended.UpdatedAt = now, now
		f.silences[i] = &ended
		return nil
	}
	return fakeError{notFound: true}
}

func (f *fake) Get(_ context.Context, id string) (*alarm.Silence, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.silences {
		if s.ID == id {
			return s, nil
		}
	}
	return nil, fakeError{notFound: true}
}

func (f *fake) List(context.Context) ([]*alarm.Silence, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.silences), f.err
}
