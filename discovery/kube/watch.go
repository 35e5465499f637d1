package kube

import (
	"cmp"
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// A part is one kind of object that is watched.
type part struct {
	name     string
	informer cache.SharedIndexInformer
}

// watch makes the informers, without starting them.
func (d *Discovery) watch() error {
	all := informers.NewSharedInformerFactory(d.client, 0)
	selected := informers.NewSharedInformerFactoryWithOptions(d.client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.LabelSelector = d.opts.Selector
	}))
	d.namespaces = &part{name: "namespaces", informer: selected.Core().V1().Namespaces().Informer()}
	d.services = &part{name: "services", informer: all.Core().V1().Services().Informer()}
	d.slices = &part{name: "endpointslices", informer: all.Discovery().V1().EndpointSlices().Informer()}
	d.pods = &part{name: "pods", informer: all.Core().V1().Pods().Informer()}
	d.autoscalers = &part{name: "horizontalpodautoscalers", informer: all.Autoscaling().V2().HorizontalPodAutoscalers().Informer()}
	for _, p := range d.parts() {
		if err := p.informer.SetTransform(d.strip); err != nil {
			return fmt.Errorf("watch %s: %w", p.name, err)
		}
		if err := p.informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) { d.trouble(p, err) }); err != nil {
			return fmt.Errorf("watch %s: %w", p.name, err)
		}
		_, err := p.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { d.touch() },
			UpdateFunc: func(any, any) { d.touch() },
			DeleteFunc: func(any) { d.touch() },
		})
		if err != nil {
			return fmt.Errorf("watch %s: %w", p.name, err)
		}
	}
	return nil
}

func (d *Discovery) parts() []*part {
	return []*part{d.namespaces, d.services, d.slices, d.pods, d.autoscalers}
}

// trouble is told of a list or a watch that ended badly. That a watch has to begin anew is daily life.
func (d *Discovery) trouble(p *part, err error) {
	if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.IsTooManyRequests(err) {
		d.opts.Log.Debug("a watch begins anew", "resource", p.name, "err", err)
		return
	}
	d.metrics.failures.WithLabelValues(p.name).Inc()
	d.opts.Log.Warn("a watch failed: what is known is kept", "resource", p.name, "cluster", d.opts.Cluster, "err", err)
}

// strip drops what nobody asks for before an object is kept: clusters have many pods. Of what is in other
// namespaces only the name stays.
func (d *Discovery) strip(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Namespace:
		return &corev1.Namespace{ObjectMeta: d.meta(&o.ObjectMeta), Status: corev1.NamespaceStatus{Phase: o.Status.Phase}}, nil
	case *corev1.Service:
		s := &corev1.Service{ObjectMeta: d.meta(&o.ObjectMeta)}
		if d.wanted(o.Namespace) {
			s.Spec = corev1.ServiceSpec{Type: o.Spec.Type, Ports: o.Spec.Ports, Selector: o.Spec.Selector}
		}
		return s, nil
	case *discoveryv1.EndpointSlice:
		e := &discoveryv1.EndpointSlice{ObjectMeta: d.meta(&o.ObjectMeta)}
		if d.wanted(o.Namespace) {
			for _, endpoint := range o.Endpoints {
				e.Endpoints = append(e.Endpoints, discoveryv1.Endpoint{Conditions: endpoint.Conditions})
			}
		}
		return e, nil
	case *corev1.Pod:
		p := &corev1.Pod{ObjectMeta: d.meta(&o.ObjectMeta)}
		if d.wanted(o.Namespace) {
			p.OwnerReferences = o.OwnerReferences
			p.Spec.NodeName = o.Spec.NodeName
			p.Status = corev1.PodStatus{Phase: o.Status.Phase, Reason: o.Status.Reason}
			for _, c := range o.Status.Conditions {
				if c.Type == corev1.PodReady {
					p.Status.Conditions = []corev1.PodCondition{{Type: c.Type, Status: c.Status}}
				}
			}
			p.Status.InitContainerStatuses = containers(o.Status.InitContainerStatuses)
			p.Status.ContainerStatuses = containers(o.Status.ContainerStatuses)
		}
		return p, nil
	case *autoscalingv2.HorizontalPodAutoscaler:
		h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: d.meta(&o.ObjectMeta)}
		if d.wanted(o.Namespace) {
			h.Spec = autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: o.Spec.ScaleTargetRef, MinReplicas: o.Spec.MinReplicas, MaxReplicas: o.Spec.MaxReplicas}
			h.Status = autoscalingv2.HorizontalPodAutoscalerStatus{CurrentReplicas: o.Status.CurrentReplicas, DesiredReplicas: o.Status.DesiredReplicas, Conditions: o.Status.Conditions}
		}
		return h, nil
	}
	return object, nil
}

func (d *Discovery) meta(o *metav1.ObjectMeta) metav1.ObjectMeta {
	kept := metav1.ObjectMeta{Name: o.Name, Namespace: o.Namespace, UID: o.UID, ResourceVersion: o.ResourceVersion}
	if d.wanted(cmp.Or(o.Namespace, o.Name)) {
		kept.Labels, kept.Annotations, kept.DeletionTimestamp = o.Labels, annotations(o.Annotations), o.DeletionTimestamp
	}
	return kept
}

// wanted says whether a namespace may be an environment.
func (d *Discovery) wanted(namespace string) bool {
	return d.opts.Namespaces == nil || d.opts.Namespaces.MatchString(namespace)
}

func containers(statuses []corev1.ContainerStatus) []corev1.ContainerStatus {
	var kept []corev1.ContainerStatus
	for _, c := range statuses {
		s := corev1.ContainerStatus{Name: c.Name, Ready: c.Ready, RestartCount: c.RestartCount}
		if w := c.State.Waiting; w != nil {
			s.State.Waiting = &corev1.ContainerStateWaiting{Reason: w.Reason}
		}
		if t := c.LastTerminationState.Terminated; t != nil {
			s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: t.Reason}
		}
		kept = append(kept, s)
	}
	return kept
}
