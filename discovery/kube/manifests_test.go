package kube

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/kube/kubetest"
)

// manifests reads the shipped manifests as the API server does that is told to be strict: a key that is not
// known, or is there twice, is an error.
func manifests(t *testing.T, pattern string) []runtime.Object {
	t.Helper()
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	files, err := filepath.Glob("../../examples/kubernetes/" + pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var all []runtime.Object
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text))); ; {
			document := make([]byte, len(text)+1)
			n, err := documents.Read(document)
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			object, _, err := strict.Decode(document[:n], nil, nil)
			require.NoError(t, err, "%s:\n%s", file, document[:n])
			all = append(all, object)
		}
	}
	return all
}

// roleOf returns the rules of the agent's role.
func roleOf(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	for _, o := range manifests(t, "agent.yml") {
		if role, ok := o.(*rbacv1.ClusterRole); ok {
			return role.Rules
		}
	}
	t.Fatal("no ClusterRole")
	return nil
}

// What the manifests refer to is there: accounts, roles, configurations, volumes, ports, and pods by their labels.
func TestManifests(t *testing.T) {
	objects := manifests(t, "*.yml")
	there := map[string]bool{}
	for _, o := range objects {
		m := o.(metav1.Object)
		key := o.GetObjectKind().GroupVersionKind().Kind + " " + m.GetName()
		assert.False(t, there[key], "%s is there twice", key)
		there[key] = true
	}
	templates := 0
	for _, o := range objects {
		switch o := o.(type) {
		case *rbacv1.ClusterRoleBinding:
			assert.Contains(t, there, o.RoleRef.Kind+" "+o.RoleRef.Name)
			assert.Equal(t, rbacv1.GroupName, o.RoleRef.APIGroup)
			for _, s := range o.Subjects {
				assert.Contains(t, there, s.Kind+" "+s.Name)
			}
		case *appsv1.Deployment:
			checkPods(t, there, o.Spec.Selector, &o.Spec.Template, nil)
			templates++
		case *appsv1.StatefulSet:
			assert.Contains(t, there, "Service "+o.Spec.ServiceName)
			checkPods(t, there, o.Spec.Selector, &o.Spec.Template, o.Spec.VolumeClaimTemplates)
			templates++
		}
	}
	assert.Equal(t, 3, templates, "agent, worker and server")
}

func checkPods(t *testing.T, there map[string]bool, selector *metav1.LabelSelector, pods *corev1.PodTemplateSpec, claims []corev1.PersistentVolumeClaim) {
	t.Helper()
	selects, err := metav1.LabelSelectorAsSelector(selector)
	require.NoError(t, err)
	assert.True(t, selects.Matches(labelsOf(pods.Labels)), "%v selects %v", selector, pods.Labels)
	volumes := map[string]bool{}
	for _, v := range pods.Spec.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil {
			assert.Contains(t, there, "ConfigMap "+v.ConfigMap.Name)
		}
	}
	for i := range claims {
		volumes[claims[i].Name] = true
	}
	if account := pods.Spec.ServiceAccountName; account != "" {
		assert.Contains(t, there, "ServiceAccount "+account)
	} else {
		require.NotNil(t, pods.Spec.AutomountServiceAccountToken)
		assert.False(t, *pods.Spec.AutomountServiceAccountToken, "who asks Kubernetes nothing has no token")
	}
	for i := range pods.Spec.Containers {
		c := &pods.Spec.Containers[i]
		for _, m := range c.VolumeMounts {
			assert.True(t, volumes[m.Name], "volume %s", m.Name)
		}
		ports := map[string]bool{}
		for _, p := range c.Ports {
			ports[p.Name] = true
		}
		for _, probe := range []*corev1.Probe{c.ReadinessProbe, c.LivenessProbe} {
			assert.True(t, ports[probe.HTTPGet.Port.StrVal], "port %s", probe.HTTPGet.Port.StrVal)
		}
		assert.True(t, *c.SecurityContext.ReadOnlyRootFilesystem)
		assert.False(t, *c.SecurityContext.AllowPrivilegeEscalation)
		assert.Equal(t, []corev1.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop)
	}
}

type labelsOf map[string]string

func (l labelsOf) Has(name string) bool              { _, ok := l[name]; return ok }
func (l labelsOf) Get(name string) string            { return l[name] }
func (l labelsOf) Lookup(name string) (string, bool) { v, ok := l[name]; return v, ok }

// occupied is a server with one of each kind of object in env-1.
func occupied(t *testing.T) *kubetest.Server {
	t.Helper()
	s := kubetest.Start(t)
	yes := true
	s.Put("namespaces", namespace("env-1", nil))
	s.Put("services", service("env-1", "a", nil))
	s.Put("pods", pod("env-1", "a", "a-1", true))
	s.Put("endpointslices", &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "env-1", Name: "a-x", Labels: map[string]string{discoveryv1.LabelServiceName: "a"}},
		Endpoints:  []discoveryv1.Endpoint{{Conditions: discoveryv1.EndpointConditions{Ready: &yes}}},
	})
	s.Put("horizontalpodautoscalers", &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "env-1", Name: "a"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "a"}, MaxReplicas: 9,
		},
	})
	s.Usage = `{"items":[{"metadata":{"name":"a-1","namespace":"env-1"},"containers":[{"usage":{"cpu":"250m","memory":"64Mi"}}]}]}`
	return s
}

// workload is what is behind the only target.
func workload(d *Discovery) *discovery.Workload {
	if targets := d.Targets(); len(targets) == 1 {
		return targets[0].Workload
	}
	return nil
}

// whole says that everything is known of what runs behind the only target.
func whole(c *assert.CollectT, d *Discovery) {
	if w := workload(d); assert.NotNil(c, w) && assert.Len(c, w.Pods, 1) {
		assert.Equal(c, int64(250), w.Pods[0].CPU)
		assert.NotNil(c, w.HPA)
		assert.Equal(c, 1, w.ReadyEndpoints)
	}
}

const soon = 60 * time.Second

// The role of the manifest is enough for everything, and has nothing that is never used: with an API server
// that streams lists, and with one that does not.
func TestLeastRights(t *testing.T) {
	used := map[string]bool{}
	var granted []string
	for _, legacy := range []bool{false, true} {
		s := occupied(t)
		rights := rightsOf(roleOf(t))
		s.Grant, s.Legacy = rights.grant, legacy
		client, err := kubernetes.NewForConfig(&rest.Config{Host: s.URL, QPS: 1000, Burst: 1000})
		require.NoError(t, err)
		d := running(t, client, Options{Usage: 20 * time.Millisecond})
		require.EventuallyWithT(t, func(c *assert.CollectT) { whole(c, d) }, soon, 10*time.Millisecond)
		s.Drop() // and all of it again
		s.Put("services", service("env-1", "a", map[string]string{annotationPath: "/b"}))
		eventually(t, d, "http://a.env-1.svc:8080/b")
		assert.Empty(t, rights.all(rights.refused))
		for _, right := range rights.all(rights.used) {
			used[right] = true
		}
		granted = rights.all(rights.granted)
	}
	assert.Equal(t, granted, slices.Sorted(maps.Keys(used)), "each right is used")
}

// Who may not read pods, endpoints, autoscalers or usage finds targets all the same, and what runs behind them as
// soon as it may.
func TestFewerRights(t *testing.T) {
	t.Parallel()
	s := occupied(t)
	rights := rightsOf(roleOf(t))
	s.Grant = rights.grant
	var optional []string
	for _, right := range rights.all(rights.granted) {
		if !slices.Contains([]string{"list namespaces/", "watch namespaces/", "list services/", "watch services/"}, right) {
			optional = append(optional, right)
			rights.set(right, false)
		}
	}
	require.Len(t, optional, 7)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: s.URL, QPS: 1000, Burst: 1000})
	require.NoError(t, err)
	d := running(t, client, Options{Usage: 20 * time.Millisecond, Patience: 10 * time.Millisecond})
	eventually(t, d, "http://a.env-1.svc:8080/health")
	assert.Nil(t, workload(d))
	for _, right := range optional {
		rights.set(right, true)
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) { whole(c, d) }, soon, 10*time.Millisecond)
}
