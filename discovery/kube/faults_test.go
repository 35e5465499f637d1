package kube

import (
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/tocsin/tocsin/discovery/kube/kubetest"
)

type (
	labelName  = model.LabelName
	labelValue = model.LabelValue
)

// What is known is never forgotten while the API server is in trouble, and what happened meanwhile is
// known soon after.
func TestFaults(t *testing.T) {
	for name, fault := range map[string]struct{ begin, end func(*kubetest.Server) }{
		"watches drop":       {(*kubetest.Server).Drop, nil},
		"410 in the watch":   {(*kubetest.Server).Expire, nil},
		"401":                {refusing(401), refusing(0)},
		"403":                {refusing(403), refusing(0)},
		"500":                {refusing(500), refusing(0)},
		"429":                {refusing(429), refusing(0)},
		"503":                {refusing(503), refusing(0)},
		"connections cut":    {refusing(kubetest.Cut), refusing(0)},
		"half an answer":     {refusing(kubetest.Half), refusing(0)},
		"410 for the answer": {refusing(410), refusing(0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := kubetest.Start(t)
			s.Put("namespaces", namespace("env-1", nil))
			s.Put("services", service("env-1", "a", nil))
			client, err := kubernetes.NewForConfig(&rest.Config{Host: s.URL, BearerToken: "secret", QPS: 1000, Burst: 1000})
			require.NoError(t, err)
			d := running(t, client, Options{Usage: -1})
			const a, b, c = "http://a.env-1.svc:8080/health", "http://b.env-1.svc:8080/health", "http://c.env-1.svc:8080/health"
			eventually(t, d, a)
			s.Put("services", service("env-1", "b", nil))
			eventually(t, d, a, b)

			stop := never(t, d, a, b)
			asked := s.Asked()
			fault.begin(s)
			s.Put("services", service("env-1", "c", nil))
			require.Eventually(t, func() bool { return s.Asked() > asked+2 }, 30*time.Second, time.Millisecond, "it asks again")
			if fault.end != nil {
				assert.Equal(t, []string{a, b}, urls(d.Targets()))
				fault.end(s)
			}
			eventually(t, d, a, b, c)
			stop()
			s.Remove("services", "env-1", "a")
			eventually(t, d, b, c)
		})
	}
}

// refusing makes the server refuse, and ends what is open.
func refusing(code int) func(*kubetest.Server) {
	return func(s *kubetest.Server) {
		s.Refuse(code)
		if code != 0 {
			s.Drop()
		}
	}
}

// never asserts, until the function that it returns is called, that nothing that was known is gone.
func never(t *testing.T, d *Discovery, known ...string) func() {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			assert.Subset(t, urls(d.Targets()), known)
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	end := sync.OnceFunc(func() { close(stop); <-done })
	t.Cleanup(end)
	return end
}

// The metrics API is asked through the same server.
func TestUsage(t *testing.T) {
	s := kubetest.Start(t)
	s.Put("namespaces", namespace("env-1", nil))
	s.Put("services", service("env-1", "a", nil))
	s.Put("pods", pod("env-1", "a", "a-1", true))
	s.Usage = `{"items":[{"metadata":{"name":"a-1","namespace":"env-1"},"containers":[{"usage":{"cpu":"250m","memory":"64Mi"}}]}]}`
	client, err := kubernetes.NewForConfig(&rest.Config{Host: s.URL, QPS: 1000, Burst: 1000})
	require.NoError(t, err)
	d := running(t, client, Options{Usage: 20 * time.Millisecond})
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		if targets := d.Targets(); assert.Len(c, targets, 1) && assert.Len(c, targets[0].Workload.Pods, 1) {
			assert.Equal(c, int64(250), targets[0].Workload.Pods[0].CPU)
			assert.Equal(c, int64(64<<20), targets[0].Workload.Pods[0].Memory)
		}
	}, 60*time.Second, 10*time.Millisecond)
}
