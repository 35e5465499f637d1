package kube

import (
	"context"
	"regexp"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/tocsin/tocsin/discovery"
)

func namespace(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive}}
}

func service(namespace, name string, annotations map[string]string, ports ...corev1.ServicePort) *corev1.Service {
	if len(ports) == 0 {
		ports = []corev1.ServicePort{{Name: "http", Port: 8080}}
	}
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: annotations},
		Spec:       corev1.ServiceSpec{Ports: ports, Selector: map[string]string{"app": name}},
	}
}

func pod(namespace, app, name string, ready bool) *corev1.Pod {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: map[string]string{"app": app, "pod-template-hash": "7d9f"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: app + "-7d9f"}},
		},
		Spec: corev1.PodSpec{NodeName: "n1"},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}},
			ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 3}},
		},
	}
}

// urls returns the URLs of targets.
func urls(targets []discovery.Target) []string {
	out := []string{}
	for _, t := range targets {
		out = append(out, t.URL)
	}
	return out
}

// running runs a Discovery until the test ends.
func running(t *testing.T, client kubernetes.Interface, opts Options) *Discovery {
	opts.Settle = time.Millisecond
	opts.Patience = 5 * time.Second
	d, err := New(client, opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		for range d.Changed() { // closed, perhaps after one that nobody took
		}
	})
	return d
}

// eventually waits until the targets' URLs are these.
func eventually(t *testing.T, d *Discovery, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	require.EventuallyWithT(t, func(c *assert.CollectT) { assert.Equal(c, want, urls(d.Targets())) }, 60*time.Second, 10*time.Millisecond)
}

func TestEndpoints(t *testing.T) {
	https := "https"
	ports := func(p ...corev1.ServicePort) []corev1.ServicePort { return append([]corev1.ServicePort{}, p...) }
	for name, c := range map[string]struct {
		annotations map[string]string
		ports       []corev1.ServicePort
		services    string
		want        string
	}{
		"by the port's name":     {want: "http://x.env-1.svc:8080/health"},
		"by its number":          {ports: ports(corev1.ServicePort{Port: 443}), want: "https://x.env-1.svc:443/health"},
		"by its protocol":        {ports: ports(corev1.ServicePort{Port: 9, AppProtocol: &https}), want: "https://x.env-1.svc:9/health"},
		"the port named health":  {ports: ports(corev1.ServicePort{Name: "http", Port: 80}, corev1.ServicePort{Name: "health", Port: 81}), want: "http://x.env-1.svc:81/health"},
		"not HTTP":               {ports: ports(corev1.ServicePort{Name: "postgres", Port: 5432}), want: ""},
		"no port":                {ports: ports(), want: ""},
		"by the service's name":  {ports: ports(corev1.ServicePort{Name: "odd", Port: 1}), services: "^x$", want: "http://x.env-1.svc:1/health"},
		"another service's name": {services: "^y$", want: ""},
		"ignored":                {annotations: map[string]string{annotationIgnore: "true"}, want: ""},
		"annotated": {
			annotations: map[string]string{annotationPath: "actuator/health", annotationPort: "mgmt", annotationScheme: "https"},
			ports:       ports(corev1.ServicePort{Name: "http", Port: 80}, corev1.ServicePort{Name: "mgmt", Port: 9001}), services: "^y$",
			want: "https://x.env-1.svc:9001/actuator/health",
		},
		"a port that the service does not name": {annotations: map[string]string{annotationPort: "9999"}, want: "http://x.env-1.svc:9999/health"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := &Options{Path: "/health"}
			if c.services != "" {
				opts.Services = regexp.MustCompile(c.services)
			}
			s := service("env-1", "x", c.annotations)
			if c.ports != nil {
				s.Spec.Ports = c.ports
			}
			got, ok := endpoint(opts, namespace("env-1", nil), s)
			assert.Equal(t, c.want, got.URL)
			assert.Equal(t, c.want != "", ok)
		})
	}
}

func TestDiscovery(t *testing.T) {
	ready, two := true, int32(2)
	crashing := pod("env-1", "orders", "orders-2", false)
	crashing.Status.ContainerStatuses = []corev1.ContainerStatus{{
		RestartCount: 7, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled"}},
	}}
	client := fake.NewClientset(
		namespace("env-1", map[string]string{"name": "Shop 1", "role": "passive", "team": "a"}), namespace("kube-system", nil),
		service("env-1", "orders", map[string]string{annotationExpect: "429, 472,x", annotationFormat: "spring3"}), service("kube-system", "dns", nil),
		pod("env-1", "orders", "orders-1", true), crashing, pod("env-1", "other", "other-1", true),
		&discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: "env-1", Name: "orders-x", Labels: map[string]string{discoveryv1.LabelServiceName: "orders"}},
			Endpoints:  []discoveryv1.Endpoint{{Conditions: discoveryv1.EndpointConditions{Ready: &ready}}, {Conditions: discoveryv1.EndpointConditions{Ready: new(bool)}}},
		},
		&autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Namespace: "env-1", Name: "orders"},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "orders"}, MinReplicas: &two, MaxReplicas: 9,
			},
			Status: autoscalingv2.HorizontalPodAutoscalerStatus{CurrentReplicas: 2, DesiredReplicas: 9, Conditions: []autoscalingv2.HorizontalPodAutoscalerCondition{
				{Type: autoscalingv2.ScalingLimited, Status: corev1.ConditionTrue, Reason: "TooManyReplicas"},
			}},
		},
	)
	registry := prometheus.NewPedanticRegistry()
	d := running(t, client, Options{
		Cluster: "eu-1", Namespaces: regexp.MustCompile(`^env-`), EnvironmentLabel: "name", Labels: []string{"team", "absent"},
		Activity: discovery.ActivityRule{Role: discovery.Clue{Label: "role"}}, Registerer: registry,
	})
	const orders = "http://orders.env-1.svc:8080/health"
	eventually(t, d, orders)
	assert.Equal(t, discovery.Target{
		Cluster: "eu-1", Namespace: "env-1", Environment: "Shop 1", Service: "orders", URL: orders,
		Labels: map[labelName]labelValue{"team": "a"}, Activity: discovery.Activity{Role: discovery.Passive},
		Format: discovery.Spring3, Expect: []int{429, 472},
		Workload: &discovery.Workload{
			Pods: []discovery.Pod{
				{Name: "orders-1", Phase: "Running", Ready: true, Restarts: 3, Node: "n1", Owner: "Deployment/orders"},
				{Name: "orders-2", Phase: "Running", Restarts: 7, Waiting: "CrashLoopBackOff", Last: "OOMKilled", Node: "n1", Owner: "Deployment/orders"},
			},
			HPA:            &discovery.HPA{Name: "orders", Min: 2, Max: 9, Current: 2, Desired: 9, Limited: "TooManyReplicas"},
			ReadyEndpoints: 1, Endpoints: 2,
		},
	}, d.Targets()[0])
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	assert.Empty(t, problems)

	// A new environment appears without any configuration, and one that is being deleted leaves.
	ctx := t.Context()
	_, err = client.CoreV1().Namespaces().Create(ctx, namespace("env-2", nil), metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = client.CoreV1().Services("env-2").Create(ctx, service("env-2", "mail", nil), metav1.CreateOptions{})
	require.NoError(t, err)
	const mail = "http://mail.env-2.svc:8080/health"
	eventually(t, d, orders, mail)
	leaving := namespace("env-1", nil)
	leaving.Status.Phase = corev1.NamespaceTerminating
	_, err = client.CoreV1().Namespaces().UpdateStatus(ctx, leaving, metav1.UpdateOptions{})
	require.NoError(t, err)
	eventually(t, d, mail)
	ignored := namespace("env-2", nil)
	ignored.Annotations = map[string]string{annotationIgnore: "true"}
	_, err = client.CoreV1().Namespaces().Update(ctx, ignored, metav1.UpdateOptions{})
	require.NoError(t, err)
	eventually(t, d)
	assert.NotNil(t, d.Targets(), "none is not the same as not known")
}

func TestParseUsage(t *testing.T) {
	used, err := parseUsage([]byte(`{"items":[{"metadata":{"name":"a","namespace":"env-1"},"containers":[
		{"usage":{"cpu":"250m","memory":"64Mi"}},{"usage":{"cpu":"1500000n","memory":"1000"}}]},
		{"metadata":{"name":"b","namespace":"other"}}]}`), func(n string) bool { return n == "env-1" })
	require.NoError(t, err)
	assert.Equal(t, map[podKey]usage{{"env-1", "a"}: {cpu: 252, memory: 64<<20 + 1000}}, used)
	_, err = parseUsage([]byte(`<html>`), func(string) bool { return true })
	require.Error(t, err)
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	_, err := New(nil, Options{})
	require.Error(t, err)
	_, err = New(fake.NewClientset(), Options{Selector: "=="})
	require.Error(t, err)
	_, err = New(fake.NewClientset(), Options{Path: "health"})
	require.Error(t, err)
}
