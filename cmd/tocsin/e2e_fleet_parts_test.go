package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/tocsin/tocsin/cmd/internal/peer"
	"github.com/tocsin/tocsin/discovery"
	"github.com/tocsin/tocsin/discovery/kube/kubetest"
	"github.com/tocsin/tocsin/examples/fleet"
)

// builtFleet is the simulator as a program: with the race detector, as this test may be, it would be too slow
// for so many documents.
var builtFleet = sync.OnceValues(func() (string, error) {
	dir, err := buildFolder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "fleet")
	_, err = peer.Go("build", "-o", path, "github.com/tocsin/tocsin/examples/fleet/serve")
	return path, err
})

// A simulator is a calm fleet in a process of its own. It is the proxy of a simulated cluster.
type simulator struct {
	t   *testing.T
	URL string
	*process
}

var served = regexp.MustCompile(`http://[0-9.]+:[0-9]+`)

func startSimulator(t *testing.T, flags ...string) *simulator {
	t.Helper()
	path, err := builtFleet()
	require.NoError(t, err)
	s := &simulator{t: t, process: startProcess(t, path, append([]string{"--listen=127.0.0.1:0", "--calm"}, flags...)...)}
	eventually(t, func() error {
		if s.URL = served.FindString(s.stdout.String()); s.URL == "" {
			return fmt.Errorf("it says nothing: %s", s.stderr.String())
		}
		return nil
	})
	return s
}

// pace asks all targets once, and returns the length of a cycle that the machine holds, as busy as it is.
func (s *simulator) pace(targets []discovery.Target) time.Duration {
	s.t.Helper()
	proxy, err := url.Parse(s.URL)
	require.NoError(s.t, err)
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	var g errgroup.Group
	g.SetLimit(8)
	began := time.Now()
	for _, t := range targets {
		g.Go(func() error {
			resp, err := client.Get("http://" + t.Service + "." + t.Namespace + ".svc:8080/health")
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body)
			return err
		})
	}
	require.NoError(s.t, g.Wait())
	took := time.Since(began)
	interval := min(max(5*time.Second, (4*took).Round(time.Second)), 12*time.Second) // the machine may be busy only now
	s.t.Logf("all services answer within %s: a cycle is %s", took.Round(time.Millisecond), interval)
	return interval
}

func (s *simulator) order(method, path string) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.URL+"/-/"+path, nil)
	require.NoError(s.t, err)
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	require.NoError(s.t, err)
	require.NoError(s.t, resp.Body.Close())
	require.Equal(s.t, http.StatusNoContent, resp.StatusCode)
}

// Fail has a service fail, or no longer; without one, all of a namespace.
func (s *simulator) Fail(namespace, service string, fails bool) {
	s.t.Helper()
	method := http.MethodDelete
	if fails {
		method = http.MethodPut
	}
	s.order(method, "failing/"+namespace+"/"+service)
}

// object is what a Kubernetes API has, as far as tocsin reads it.
func object(namespace, name string, labels map[string]string, more map[string]any) map[string]any {
	o := map[string]any{"metadata": map[string]any{"namespace": namespace, "name": name, "labels": labels}}
	for key, value := range more {
		o[key] = value
	}
	return o
}

// deploy puts what runs behind some targets into a cluster.
func deploy(k *kubetest.Server, targets []discovery.Target) {
	seen := map[string]bool{}
	for _, t := range targets {
		if ns := t.Namespace; !seen[ns] {
			seen[ns] = true
			k.Put("namespaces", object("", ns, map[string]string{"state": t.Activity.Role.String()}, map[string]any{"status": map[string]any{"phase": "Active"}}))
		}
		app := map[string]string{"app": t.Service}
		ready := []any{map[string]any{"type": "Ready", "status": "True"}}
		k.Put("pods", object(t.Namespace, t.Service+"-0", app, map[string]any{
			"spec": map[string]any{"nodeName": "node-1"}, "status": map[string]any{"phase": "Running", "conditions": ready},
		}))
		k.Put("endpointslices", object(t.Namespace, t.Service+"-x", map[string]string{"kubernetes.io/service-name": t.Service}, map[string]any{
			"addressType": "IPv4", "endpoints": []any{map[string]any{"addresses": []string{"10.0.0.1"}, "conditions": map[string]any{"ready": true}}},
		}))
		k.Put("services", object(t.Namespace, t.Service, nil, map[string]any{
			"spec": map[string]any{"selector": app, "ports": []any{map[string]any{"name": "http", "port": 8080}}},
		}))
	}
}

// withdraw takes an environment out of a cluster, as its deletion does: first what is in it.
func withdraw(k *kubetest.Server, namespace string) {
	for _, service := range fleet.New(fleet.Options{Environments: 1}).Services() {
		k.Remove("services", namespace, service)
	}
	k.Remove("namespaces", "", namespace)
}

// A sieve stands before VictoriaLogs for those who read. It may keep a part of the services to itself.
type sieve struct {
	URL   string
	share atomic.Int64 // percent of the namespaces that are answered
}

func newSieve(t *testing.T, logs string) *sieve {
	t.Helper()
	target, err := url.Parse(logs)
	require.NoError(t, err)
	s := &sieve{}
	s.share.Store(100)
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Header.Del("Accept-Encoding") },
		Transport:      transport,
		ModifyResponse: s.withhold,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	srv := httptest.NewServer(proxy)
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		transport.CloseIdleConnections()
	})
	s.URL = srv.URL
	return s
}

// withhold drops the states of some namespaces from an answer.
func (s *sieve) withhold(resp *http.Response) error {
	share := uint32(s.share.Load())
	if share == 100 || resp.StatusCode != http.StatusOK {
		return nil
	}
	var kept bytes.Buffer
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		var row struct{ Kind, Namespace string }
		if len(line) > 0 && json.Unmarshal(line, &row) == nil && (row.Kind != "state" || inShare(row.Namespace, share)) {
			kept.Write(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	_ = resp.Body.Close()
	resp.Body, resp.ContentLength = io.NopCloser(&kept), int64(kept.Len())
	resp.Header.Set("Content-Length", strconv.Itoa(kept.Len()))
	return nil
}

func inShare(namespace string, percent uint32) bool {
	h := fnv.New32a()
	_, _ = io.WriteString(h, namespace)
	return h.Sum32()%100 < percent
}

// startHelper starts an agent or a worker and waits until it listens.
func startHelper(t *testing.T, program, what, dir, config string) *process {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o700))
	file := filepath.Join(dir, "health.yml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	p := startProcess(t, program, what, "--config.file="+file, "--web.listen-address=127.0.0.1:0", "--storage.path="+filepath.Join(dir, "data"))
	eventually(t, p.findAddress)
	return p
}

// sample returns a metric of a process; its name may have labels.
func (p *process) sample(name string) (float64, error) {
	r, err := http.NewRequest(http.MethodGet, "http://"+p.address+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, found := strings.CutPrefix(lines.Text(), name+" "); found {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}

// A healthAnswer is what every operation of the health API answers with.
type healthAnswer[T any] struct {
	Version string
	At      time.Time
	Stale   *struct {
		Since  time.Time
		Reason string
	}
	Data T
}

// askHealth asks the health API, and how old its answer is.
func askHealth[T any](s *server, path string) (a healthAnswer[T], err error) {
	code, body, err := s.get("/api/v1/health/" + path)
	switch {
	case err != nil:
		return a, err
	case code != http.StatusOK:
		return a, fmt.Errorf("%s: %d %s", path, code, body)
	}
	return a, json.Unmarshal([]byte(body), &a)
}
