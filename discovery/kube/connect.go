package kube

import (
	"fmt"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Connect returns a client with the credentials of a kubeconfig file, or, if the path is empty, with those of
// the pod that this process runs in. It asks nothing yet.
func Connect(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("credentials of Kubernetes: %w", err)
	}
	config.UserAgent = "tocsin"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("client of Kubernetes: %w", err)
	}
	return client, nil
}
