package kube

import (
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/tocsin/tocsin/discovery"
)

// A view is all that is known of the cluster at one time. What it makes of that is a plain function.
type view struct {
	opts        *Options
	namespaces  []*corev1.Namespace
	services    []*corev1.Service
	slices      map[string][]*discoveryv1.EndpointSlice           // by namespace/service; nil if they cannot be read
	pods        map[string][]*corev1.Pod                          // by namespace; nil if they cannot be read
	autoscalers map[string]*autoscalingv2.HorizontalPodAutoscaler // by namespace/kind/name of what they scale
	used        map[podKey]usage
}

func (d *Discovery) view(used map[podKey]usage) *view {
	v := &view{opts: &d.opts, used: used, autoscalers: map[string]*autoscalingv2.HorizontalPodAutoscaler{}}
	for _, o := range d.namespaces.informer.GetStore().List() {
		v.namespaces = append(v.namespaces, o.(*corev1.Namespace))
	}
	for _, o := range d.services.informer.GetStore().List() {
		v.services = append(v.services, o.(*corev1.Service))
	}
	if d.slices.informer.HasSynced() {
		v.slices = map[string][]*discoveryv1.EndpointSlice{}
		for _, o := range d.slices.informer.GetStore().List() {
			s := o.(*discoveryv1.EndpointSlice)
			key := s.Namespace + "/" + s.Labels[discoveryv1.LabelServiceName]
			v.slices[key] = append(v.slices[key], s)
		}
	}
	if d.pods.informer.HasSynced() {
		v.pods = map[string][]*corev1.Pod{}
		for _, o := range d.pods.informer.GetStore().List() {
			p := o.(*corev1.Pod)
			v.pods[p.Namespace] = append(v.pods[p.Namespace], p)
		}
	}
	for _, o := range d.autoscalers.informer.GetStore().List() {
		h := o.(*autoscalingv2.HorizontalPodAutoscaler)
		key := h.Namespace + "/" + h.Spec.ScaleTargetRef.Kind + "/" + h.Spec.ScaleTargetRef.Name
		if other := v.autoscalers[key]; other == nil || h.Name < other.Name {
			v.autoscalers[key] = h
		}
	}
	return v
}

// targets returns the health endpoints, sorted by key. It is never nil.
func (v *view) targets() []discovery.Target {
	environments := map[string]*corev1.Namespace{}
	for _, n := range v.namespaces {
		leaving := n.DeletionTimestamp != nil || n.Status.Phase == corev1.NamespaceTerminating
		wanted := v.opts.Namespaces == nil || v.opts.Namespaces.MatchString(n.Name)
		if wanted && !leaving && n.Annotations[annotationIgnore] != "true" {
			environments[n.Name] = n
		}
	}
	targets := []discovery.Target{}
	for _, s := range v.services {
		n := environments[s.Namespace]
		if n == nil || s.DeletionTimestamp != nil {
			continue
		}
		t, ok := endpoint(v.opts, n, s)
		if !ok {
			continue
		}
		t.Workload = v.workload(s)
		targets = append(targets, t)
	}
	slices.SortFunc(targets, func(a, b discovery.Target) int { return a.Key().Compare(b.Key()) })
	return targets
}

// workload returns what runs behind a service, or nil if that cannot be read.
func (v *view) workload(s *corev1.Service) *discovery.Workload {
	if v.pods == nil && v.slices == nil || s.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	w := &discovery.Workload{}
	if len(s.Spec.Selector) > 0 {
		for _, p := range v.pods[s.Namespace] {
			if selects(s.Spec.Selector, p.Labels) && p.Status.Phase != corev1.PodSucceeded {
				w.Pods = append(w.Pods, v.pod(p))
			}
		}
	}
	slices.SortFunc(w.Pods, func(a, b discovery.Pod) int { return strings.Compare(a.Name, b.Name) })
	for _, p := range w.Pods {
		if h := v.autoscalers[s.Namespace+"/"+p.Owner]; h != nil {
			w.HPA = hpa(h)
			break
		}
	}
	if v.slices == nil {
		for _, p := range w.Pods {
			w.Endpoints++
			if p.Ready {
				w.ReadyEndpoints++
			}
		}
		return w
	}
	for _, slice := range v.slices[s.Namespace+"/"+s.Name] {
		for _, e := range slice.Endpoints {
			w.Endpoints++
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				w.ReadyEndpoints++
			}
		}
	}
	return w
}

func selects(selector, labels map[string]string) bool {
	for name, value := range selector {
		if labels[name] != value {
			return false
		}
	}
	return true
}

func (v *view) pod(p *corev1.Pod) discovery.Pod {
	pod := discovery.Pod{Name: p.Name, Phase: string(p.Status.Phase), Node: p.Spec.NodeName, Owner: owner(p)}
	if p.DeletionTimestamp != nil {
		pod.Phase = "Terminating"
	}
	for _, c := range p.Status.Conditions {
		pod.Ready = pod.Ready || c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	}
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		pod.Restarts += int(c.RestartCount)
		if w := c.State.Waiting; w != nil && pod.Waiting == "" {
			pod.Waiting = w.Reason
		}
		if t := c.LastTerminationState.Terminated; t != nil && pod.Last == "" {
			pod.Last = t.Reason
		}
	}
	if pod.Waiting == "" && p.Status.Reason != "" {
		pod.Waiting = p.Status.Reason // such as Evicted
	}
	u := v.used[podKey{p.Namespace, p.Name}]
	pod.CPU, pod.Memory = u.cpu, u.memory
	return pod
}

// owner returns what a pod belongs to: of a ReplicaSet that a Deployment made, the Deployment.
func owner(p *corev1.Pod) string {
	for _, o := range p.OwnerReferences {
		if o.Controller != nil && !*o.Controller {
			continue
		}
		if hash := p.Labels["pod-template-hash"]; o.Kind == "ReplicaSet" && hash != "" {
			if name, ok := strings.CutSuffix(o.Name, "-"+hash); ok {
				return "Deployment/" + name
			}
		}
		return o.Kind + "/" + o.Name
	}
	return ""
}

func hpa(h *autoscalingv2.HorizontalPodAutoscaler) *discovery.HPA {
	state := &discovery.HPA{Name: h.Name, Min: 1, Max: int(h.Spec.MaxReplicas), Current: int(h.Status.CurrentReplicas), Desired: int(h.Status.DesiredReplicas)}
	if h.Spec.MinReplicas != nil {
		state.Min = int(*h.Spec.MinReplicas)
	}
	for _, c := range h.Status.Conditions {
		switch {
		case c.Type == autoscalingv2.ScalingLimited && c.Status == corev1.ConditionTrue:
			state.Limited = c.Reason
		case c.Type == autoscalingv2.ScalingActive && c.Status == corev1.ConditionFalse,
			c.Type == autoscalingv2.AbleToScale && c.Status == corev1.ConditionFalse:
			state.Failing = c.Reason
		}
	}
	return state
}
