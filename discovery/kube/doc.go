// Package kube finds the health endpoints of a cluster through the Kubernetes API, and what runs behind
// them.
//
// # Shapes
//
// A [Discovery] watches namespaces that match a pattern, the services in them, their endpoint slices, pods
// and autoscalers, and asks the metrics API, where there is one, what pods use. [Discovery.Targets] returns
// a [discovery.Target] for each service that has a health endpoint, sorted by key; [Discovery.Changed] says
// when there is something new. A namespace that comes is found without any configuration. Targets belong
// to everybody once they were returned, and are not modified.
//
// # Which services
//
// A service has a health endpoint if its name matches [Options.Services], or if it has one of the
// annotations below; if there is no pattern, also if it has a port that speaks HTTP by its name, its
// application protocol or its number. Annotations of a service:
//
//	tocsin.dev/health-path     the path, instead of the default
//	tocsin.dev/health-port     the port's name or number; by default the one named health, or the first HTTP one
//	tocsin.dev/health-scheme   http or https; by default what the port says
//	tocsin.dev/health-format   the format of the document, such as spring3
//	tocsin.dev/health-expect   HTTP codes that mean as much as 200, such as 429,472
//	tocsin.dev/health-ignore   "true": it has none. The same on a namespace is for all of its services
//
// A namespace that is being deleted has no targets: what ends in it is no failure.
//
// # What it may read
//
// list and watch of namespaces and services (core), and, unless targets are to come without them, of pods
// (core), endpointslices (discovery.k8s.io) and horizontalpodautoscalers (autoscaling); list of pods
// (metrics.k8s.io). Nothing else, and nothing is written. The rights are for the whole cluster, since a new
// namespace is to be found; of other namespaces only names are kept in memory.
//
// # What it never forgets
//
// Informers keep what they know while the API server is away, refuses the credentials, forgets the version
// that we were at (410) or drops a watch; they ask again with a growing delay of at most a minute, and go
// on from there. Targets is nil until namespaces and services were listed once: nil means not known yet, and
// an empty list means none. Pods, endpoints, autoscalers and usage are optional: where the agent may not
// read them, targets come without. What goes wrong is logged and counted.
//
// # Errors and goroutines
//
// [New] returns an error for options that make no sense. Run returns when its context ends, and closes
// Changed. All other methods may be called from several goroutines at any time.
package kube
