package kube

import (
	"cmp"
	"net"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"

	"github.com/tocsin/tocsin/discovery"
)

// The annotations of services; the last one of namespaces too.
const (
	annotationPath   = "tocsin.dev/health-path"
	annotationPort   = "tocsin.dev/health-port"
	annotationScheme = "tocsin.dev/health-scheme"
	annotationFormat = "tocsin.dev/health-format"
	annotationExpect = "tocsin.dev/health-expect"
	annotationIgnore = "tocsin.dev/health-ignore"
)

// annotations keeps those that are ours.
func annotations(all map[string]string) map[string]string {
	var kept map[string]string
	for name, value := range all {
		if strings.HasPrefix(name, "tocsin.dev/") {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[name] = value
		}
	}
	return kept
}

// endpoint returns the health endpoint of a service, or false if it has none.
func endpoint(opts *Options, n *corev1.Namespace, s *corev1.Service) (discovery.Target, bool) {
	a := s.Annotations
	named := a[annotationPath] != "" || a[annotationPort] != "" || a[annotationScheme] != ""
	port, speaks := portOf(s)
	switch {
	case a[annotationIgnore] == "true", port == nil && a[annotationPort] == "":
		return discovery.Target{}, false
	case named:
	case s.Spec.Type == corev1.ServiceTypeExternalName:
		return discovery.Target{}, false
	case opts.Services != nil && !opts.Services.MatchString(s.Name), opts.Services == nil && !speaks:
		return discovery.Target{}, false
	}
	t := discovery.Target{
		Cluster: opts.Cluster, Namespace: n.Name, Service: s.Name, Environment: n.Name,
		Format: discovery.Format(a[annotationFormat]), Expect: codes(a[annotationExpect]),
		URL: address(opts, s, port),
	}
	if opts.EnvironmentLabel != "" {
		t.Environment = cmp.Or(n.Labels[opts.EnvironmentLabel], n.Name)
	}
	for _, name := range opts.Labels {
		if value := cmp.Or(s.Labels[name], n.Labels[name]); value != "" {
			if t.Labels == nil {
				t.Labels = model.LabelSet{}
			}
			t.Labels[model.LabelName(name)] = model.LabelValue(value)
		}
	}
	t.Activity = opts.Activity.Of(labelSet(n.Labels), nil)
	return t, true
}

func labelSet(labels map[string]string) model.LabelSet {
	ls := make(model.LabelSet, len(labels))
	for name, value := range labels {
		ls[model.LabelName(name)] = model.LabelValue(value)
	}
	return ls
}

// portOf returns the port of a service that is asked, and whether it is known to speak HTTP.
func portOf(s *corev1.Service) (port *corev1.ServicePort, speaks bool) {
	if want := s.Annotations[annotationPort]; want != "" {
		for i := range s.Spec.Ports {
			if p := &s.Spec.Ports[i]; p.Name == want || strconv.Itoa(int(p.Port)) == want {
				return p, true
			}
		}
		return nil, false
	}
	for i := range s.Spec.Ports {
		if p := &s.Spec.Ports[i]; p.Name == "health" || p.Name == "healthz" {
			return p, true
		}
	}
	for i := range s.Spec.Ports {
		if p := &s.Spec.Ports[i]; speaksHTTP(p) {
			return p, true
		}
	}
	if len(s.Spec.Ports) > 0 {
		return &s.Spec.Ports[0], false
	}
	return nil, false
}

func speaksHTTP(p *corev1.ServicePort) bool {
	if p.Protocol != "" && p.Protocol != corev1.ProtocolTCP {
		return false
	}
	protocol := ""
	if p.AppProtocol != nil {
		protocol = strings.ToLower(*p.AppProtocol)
	}
	if protocol != "" {
		return protocol == "http" || protocol == "https"
	}
	switch name, _, _ := strings.Cut(p.Name, "-"); name {
	case "http", "https", "http1", "web":
		return true
	case "":
	default:
		return false
	}
	return p.Port == 80 || p.Port == 443 || p.Port == 8080 || p.Port == 8443
}

// address is the URL of a health endpoint, by the name that cluster DNS gives the service.
func address(opts *Options, s *corev1.Service, port *corev1.ServicePort) string {
	scheme, number := "http", s.Annotations[annotationPort]
	if port != nil {
		number = strconv.Itoa(int(port.Port))
		if port.Port == 443 || port.Port == 8443 || strings.HasPrefix(port.Name, "https") || port.AppProtocol != nil && strings.EqualFold(*port.AppProtocol, "https") {
			scheme = "https"
		}
	}
	scheme = cmp.Or(s.Annotations[annotationScheme], scheme)
	path := cmp.Or(s.Annotations[annotationPath], opts.Path)
	if path[0] != '/' {
		path = "/" + path
	}
	return scheme + "://" + net.JoinHostPort(s.Name+"."+s.Namespace+".svc", number) + path
}

// codes reads a list such as 429,472; what is no code is left out.
func codes(list string) []int {
	var all []int
	for word := range strings.SplitSeq(list, ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(word)); err == nil && n >= 100 && n < 600 {
			all = append(all, n)
		}
	}
	return all
}
