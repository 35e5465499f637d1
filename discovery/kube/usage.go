package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
)

type podKey struct{ namespace, name string }

// usage is what a pod uses: thousandths of a core, and bytes.
type usage struct{ cpu, memory int64 }

const usagePath = "/apis/metrics.k8s.io/v1beta1/pods"

// followUsage asks the metrics API again and again. A cluster without one is asked less often. While it
// does not answer, what it said before is kept for five rounds.
func (d *Discovery) followUsage(ctx context.Context) {
	failures := 0
	for {
		wait := d.opts.Usage
		used, err := d.readUsage(ctx)
		switch {
		case err == nil:
			failures = 0
			d.setUsage(used)
		case ctx.Err() != nil:
			return
		case apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsServiceUnavailable(err):
			wait = 10 * d.opts.Usage
			fallthrough
		default:
			if failures++; failures == 5 {
				d.setUsage(map[podKey]usage{})
			}
			d.opts.Log.Debug("the metrics API does not answer", "cluster", d.opts.Cluster, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (d *Discovery) setUsage(used map[podKey]usage) {
	d.mu.Lock()
	d.used = used
	d.mu.Unlock()
	d.touch()
}

func (d *Discovery) readUsage(ctx context.Context) (map[podKey]usage, error) {
	client := d.client.Discovery().RESTClient()
	if client == nil {
		return nil, apierrors.NewServiceUnavailable("the client cannot ask for it")
	}
	body, err := client.Get().AbsPath(usagePath).Do(ctx).Raw()
	if err != nil {
		return nil, err
	}
	return parseUsage(body, d.wanted)
}

// parseUsage reads a PodMetricsList. Its types are in a module of their own, which is not worth having
// for these few fields.
func parseUsage(body []byte, wanted func(string) bool) (map[podKey]usage, error) {
	var list struct {
		Items []struct {
			Metadata struct {
				Name      string `json:"name"`
				Namespace string `json:"namespace"`
			} `json:"metadata"`
			Containers []struct {
				Usage struct {
					CPU    resource.Quantity `json:"cpu"`
					Memory resource.Quantity `json:"memory"`
				} `json:"usage"`
			} `json:"containers"`
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("read pod metrics: %w", err)
	}
	used := make(map[podKey]usage, len(list.Items))
	for _, item := range list.Items {
		if !wanted(item.Metadata.Namespace) {
			continue
		}
		var u usage
		for _, c := range item.Containers {
			u.cpu += c.Usage.CPU.MilliValue()
			u.memory += c.Usage.Memory.Value()
		}
		used[podKey{item.Metadata.Namespace, item.Metadata.Name}] = u
	}
	return used, nil
}
