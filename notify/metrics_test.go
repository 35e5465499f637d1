package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tocsin/tocsin/alarm"
	"github.com/tocsin/tocsin/notify"
	"github.com/tocsin/tocsin/notify/notifytest"
)

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		s := newStage(t, notify.Options{Registerer: reg, Kinds: []string{"webhook"}})
		s.ops.FailNext(1, errors.New("503"))
		s.tell("ops", "retried")
		time.Sleep(time.Minute)
		s.ops.FailNext(1, &notify.ReasonError{
			Reason: notify.FailureAuth, Err: fmt.Errorf("%w: 403", notify.ErrRejected),
		})
		s.tell("ops", "rejected")
		synctest.Wait()
		s.out.Withdraw(s.out.Add(notifytest.Delivery(time.Now(), "ops", "log[0]", "unsent", alarm.Add)).ID)
		s.Offer(s.out.Open())
		s.ops.Block()
		s.tell("ops", "open")
		time.Sleep(10 * time.Second)
		synctest.Wait()

		assert.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP alertmanager_notification_requests_failed_total Attempts at notifications that failed.
# TYPE alertmanager_notification_requests_failed_total counter
alertmanager_notification_requests_failed_total{integration="log"} 2
alertmanager_notification_requests_failed_total{integration="webhook"} 0
# HELP alertmanager_notification_requests_total Attempts at notifications.
# TYPE alertmanager_notification_requests_total counter
alertmanager_notification_requests_total{integration="log"} 3
alertmanager_notification_requests_total{integration="webhook"} 0
# HELP alertmanager_notifications_failed_total Notifications that were given up.
# TYPE alertmanager_notifications_failed_total counter
alertmanager_notifications_failed_total{integration="log",reason="authError"} 1
alertmanager_notifications_failed_total{integration="log",reason="clientError"} 0
alertmanager_notifications_failed_total{integration="log",reason="contextCanceled"} 0
alertmanager_notifications_failed_total{integration="log",reason="contextDeadlineExceeded"} 0
alertmanager_notifications_failed_total{integration="log",reason="other"} 0
alertmanager_notifications_failed_total{integration="log",reason="rateLimited"} 0
alertmanager_notifications_failed_total{integration="log",reason="serverError"} 0
alertmanager_notifications_failed_total{integration="webhook",reason="authError"} 0
alertmanager_notifications_failed_total{integration="webhook",reason="clientError"} 0
alertmanager_notifications_failed_total{integration="webhook",reason="contextCanceled"} 0
alertmanager_notifications_failed_total{integration="webhook",reason="contextDeadlineExceeded"} 0
alertmanager_notifications_failed_total{integration="webhook",reason="other"} 0
alertmanager_notifications_failed_total{integration="webhook",reason="rateLimited"} 0
alertmanager_notifications_failed_total{integration="webhook",reason="serverError"} 0
# HELP alertmanager_notifications_total Notifications that were attempted.
# TYPE alertmanager_notifications_total counter
alertmanager_notifications_total{integration="log"} 2
alertmanager_notifications_total{integration="webhook"} 0
# HELP tocsin_deliveries_total Intentions that ended, by what became of them.
# TYPE tocsin_deliveries_total counter
tocsin_deliveries_total{outcome="delivered",receiver="ops"} 1
tocsin_deliveries_total{outcome="failed",receiver="ops"} 0
tocsin_deliveries_total{outcome="rejected",receiver="ops"} 1
tocsin_deliveries_total{outcome="unsent",receiver="ops"} 1
# HELP tocsin_outbox_depth Intentions whose outcome is not stored yet.
# TYPE tocsin_outbox_depth gauge
tocsin_outbox_depth{receiver="ops"} 1
# HELP tocsin_outbox_oldest_age_seconds Age of the oldest intention whose outcome is not stored yet; 0 if there is none.
# TYPE tocsin_outbox_oldest_age_seconds gauge
tocsin_outbox_oldest_age_seconds{receiver="ops"} 10
`),
			"alertmanager_notifications_total", "alertmanager_notifications_failed_total",
			"alertmanager_notification_requests_total", "alertmanager_notification_requests_failed_total",
			"tocsin_deliveries_total", "tocsin_outbox_depth", "tocsin_outbox_oldest_age_seconds"))

		count, sum := histogram(t, reg, "tocsin_delivery_latency_seconds")
		assert.Equal(t, uint64(1), count)
		assert.InDelta(t, 60.5, sum, 0.26, "a minute before the sample was made, and one backoff")
		count, _ = histogram(t, reg, "alertmanager_notification_latency_seconds")
		assert.Equal(t, uint64(3), count)

		problems, err := testutil.GatherAndLint(reg)
		require.NoError(t, err)
		assert.Empty(t, problems)
		assert.NoError(t, s.end())
	})
}

func TestMetricsOfAReceiverThatGoes(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	log := notify.NewLog(nil, slog.LevelInfo)
	d, err := notify.New(notifytest.NewOutbox(t), notify.Receivers{
		"a": {{Name: "log[0]", Receiver: log}}, "b": {{Name: "log[0]", Receiver: log}, {Name: "log[1]", Receiver: log}},
	}, notify.Options{Registerer: reg, ReceiverNames: true, Kinds: []string{"webhook"}})
	require.NoError(t, err)
	require.NoError(t, d.Replace(notify.Receivers{"b": {{Name: "log[0]", Receiver: log}}}))
	assert.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP alertmanager_notifications_total Notifications that were attempted.
# TYPE alertmanager_notifications_total counter
alertmanager_notifications_total{integration="log",receiver_name="b"} 0
# HELP tocsin_outbox_depth Intentions whose outcome is not stored yet.
# TYPE tocsin_outbox_depth gauge
tocsin_outbox_depth{receiver="b"} 0
`), "alertmanager_notifications_total", "tocsin_outbox_depth"))
	_, err = notify.New(notifytest.NewOutbox(t), nil, notify.Options{Registerer: reg})
	assert.ErrorContains(t, err, "metrics: ")
}

func TestFailureReasons(t *testing.T) {
	tests := []struct {
		err  error
		want notify.FailureReason
	}{
		{errors.New("x"), notify.FailureOther},
		{&notify.ReasonError{Reason: "made up", Err: errors.New("x")}, notify.FailureOther},
		{&notify.ReasonError{Reason: notify.FailureClientError, Err: context.Canceled}, notify.FailureClientError},
		{&notify.ThrottledError{Err: errors.New("429")}, notify.FailureRateLimited},
		{fmt.Errorf("post: %w", context.DeadlineExceeded), notify.FailureDeadlineExceeded},
		{fmt.Errorf("post: %w", context.Canceled), notify.FailureCanceled},
	}
	for _, test := range tests {
		t.Run(test.err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reg := prometheus.NewPedanticRegistry()
				s := newStage(t, notify.Options{Registerer: reg})
				s.ops.FailNext(1, fmt.Errorf("%w: %w", notify.ErrRejected, test.err))
				s.tell("ops", "a")
				synctest.Wait()
				assert.NoError(t, s.end())
				families, err := reg.Gather()
				require.NoError(t, err)
				var counted []string
				for _, f := range families {
					for _, m := range f.GetMetric() {
						if f.GetName() == "alertmanager_notifications_failed_total" && m.GetCounter().GetValue() > 0 {
							counted = append(counted, m.GetLabel()[1].GetValue())
						}
					}
				}
				assert.Equal(t, []string{string(test.want)}, counted)
			})
		})
	}
}

func histogram(t *testing.T, reg prometheus.Gatherer, name string) (count uint64, sum float64) {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				count += m.GetHistogram().GetSampleCount()
				sum += m.GetHistogram().GetSampleSum()
			}
		}
	}
	return count, sum
}
