package kube

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/kube/kubetest"
)

func clientOf(t *testing.T, s *kubetest.Server) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: s.URL, QPS: 1000, Burst: 1000})
	require.NoError(t, err)
	return client
}

// What is known is nil until the API server was heard: an empty list would say that all services are gone.
func TestStartsWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	s := kubetest.Start(t)
	s.Put("namespaces", namespace("env-1", nil))
	s.Put("services", service("env-1", "a", nil))
	s.Refuse(kubetest.Cut)
	d := running(t, clientOf(t, s), Options{Usage: -1})
	require.Eventually(t, func() bool { return s.Asked() > 4 }, soon, time.Millisecond)
	assert.Nil(t, d.Targets())
	s.Refuse(http.StatusUnauthorized)
	asked := s.Asked()
	require.Eventually(t, func() bool { return s.Asked() > asked+2 }, soon, time.Millisecond)
	assert.Nil(t, d.Targets())
	s.Refuse(0)
	eventually(t, d, "http://a.env-1.svc:8080/health")
}

// Namespaces come and go as their labels match a selector, and what their labels say of activity is followed.
func TestLabelsOfNamespacesAreFollowed(t *testing.T) {
	t.Parallel()
	s := kubetest.Start(t)
	s.Put("namespaces", namespace("env-1", map[string]string{"tier": "shop", "role": "passive", "used": "no"}))
	s.Put("namespaces", namespace("env-2", nil))
	s.Put("services", service("env-1", "a", nil))
	s.Put("services", service("env-2", "a", nil))
	d := running(t, clientOf(t, s), Options{
		Usage: -1, Selector: "tier=shop",
		Activity: discovery.ActivityRule{Role: discovery.Clue{Label: "role"}, Life: discovery.Clue{Label: "used"}},
	})
	const one, two = "http://a.env-1.svc:8080/health", "http://a.env-2.svc:8080/health"
	eventually(t, d, one)
	assert.Equal(t, discovery.Activity{Role: discovery.Passive, Life: discovery.Idle}, d.Targets()[0].Activity)

	s.Put("namespaces", namespace("env-1", map[string]string{"tier": "shop", "role": "active", "used": "yes"}))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		if targets := d.Targets(); assert.Len(c, targets, 1) {
			assert.Equal(c, discovery.Activity{Role: discovery.Active, Life: discovery.Live}, targets[0].Activity)
		}
	}, soon, 10*time.Millisecond)
	s.Put("namespaces", namespace("env-2", map[string]string{"tier": "shop"}))
	eventually(t, d, one, two)
	assert.Zero(t, d.Targets()[1].Activity, "no label says anything")
	s.Put("namespaces", namespace("env-1", map[string]string{"tier": "other"}))
	eventually(t, d, two)
}

// What ends in a namespace that is being deleted is no failure, however long that takes; one of the same name that
// is made afterwards is a new environment.
func TestNamespaceIsDeleted(t *testing.T) {
	t.Parallel()
	s := kubetest.Start(t)
	for _, n := range []string{"env-1", "env-2"} {
		s.Put("namespaces", namespace(n, nil))
		s.Put("services", service(n, "a", nil))
	}
	d := running(t, clientOf(t, s), Options{Usage: -1})
	const one, two = "http://a.env-1.svc:8080/health", "http://a.env-2.svc:8080/health"
	eventually(t, d, one, two)
	leaving, now := namespace("env-1", nil), metav1.Now()
	leaving.DeletionTimestamp = &now
	s.Put("namespaces", leaving)
	eventually(t, d, two)
	s.Drop() // it is still leaving after a new list
	s.Put("services", service("env-2", "b", nil))
	eventually(t, d, two, "http://b.env-2.svc:8080/health")
	s.Remove("services", "env-1", "a")
	s.Remove("namespaces", "", "env-1")
	s.Put("namespaces", namespace("env-1", nil))
	s.Put("services", service("env-1", "c", nil))
	eventually(t, d, "http://c.env-1.svc:8080/health", two, "http://b.env-2.svc:8080/health")
}

// A long list comes in parts. When the server forgets the version of the first one before the last was read,
// nothing is lost: all is listed again.
func TestListInParts(t *testing.T) {
	t.Parallel()
	s := kubetest.Start(t)
	s.Legacy = true
	s.Put("namespaces", namespace("env-1", nil))
	var want []string
	for i := range 1200 {
		name := fmt.Sprintf("a-%04d", i)
		s.Put("services", service("env-1", name, nil))
		want = append(want, "http://"+name+".env-1.svc:8080/health")
	}
	d := running(t, clientOf(t, s), Options{Usage: -1})
	eventually(t, d, want...)
	stop := never(t, d, want...)
	s.Forget(true)
	s.Expire()
	require.Eventually(t, func() bool { return s.Forgotten() > 0 }, soon, time.Millisecond, "no list came in parts")
	s.Forget(false)
	s.Put("services", service("env-1", "b", nil))
	eventually(t, d, append(want, "http://b.env-1.svc:8080/health")...)
	stop()
}
