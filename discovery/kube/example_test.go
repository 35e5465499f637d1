package kube_test

import (
	"context"
	"fmt"
	"regexp"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/tocsin/tocsin/discovery/kube"
)

// Every health endpoint of a cluster.
func Example() {
	clientset := fake.NewClientset( // kubernetes.NewForConfig, in earnest
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "env-42"}},
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "env-42", Name: "orders"},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 8080}}},
		},
	)
	d, err := kube.New(clientset, kube.Options{Cluster: "eu-1", Namespaces: regexp.MustCompile(`^env-`)})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error { return d.Run(ctx) })
	for range d.Changed() { // closed when Run returns
		for _, t := range d.Targets() {
			fmt.Println(t.Environment, t.URL)
		}
		cancel()
	}
	if err := eg.Wait(); err != nil {
		panic(err)
	}
	// Output:
	// env-42 http://orders.env-42.svc:8080/health
}
