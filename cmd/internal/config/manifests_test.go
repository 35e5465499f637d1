package config

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// A manifest is what the test needs of a Kubernetes object.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	} `yaml:"metadata"`
	Data  map[string]string `yaml:"data"`
	Rules []struct {
		APIGroups []string `yaml:"apiGroups"`
		Resources []string `yaml:"resources"`
		Verbs     []string `yaml:"verbs"`
	} `yaml:"rules"`
}

// The manifests are YAML, their configurations are valid, and the agent may read what it needs and no more.
func TestKubernetesManifests(t *testing.T) {
	files, err := filepath.Glob("../../../examples/kubernetes/*.yml")
	require.NoError(t, err)
	require.Len(t, files, 3)
	var rights, kinds []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var m manifest
			if err := d.Decode(&m); errors.Is(err, io.EOF) {
				break
			} else {
				require.NoError(t, err, file)
			}
			require.NotEmpty(t, m.Metadata.Name, file)
			kinds = append(kinds, m.Kind)
			for _, r := range m.Rules {
				for _, resource := range r.Resources {
					rights = append(rights, strings.Join(r.Verbs, " and ")+" of "+resource+"/"+strings.Join(r.APIGroups, ","))
				}
			}
			for name, content := range m.Data {
				path := filepath.Join(t.TempDir(), name)
				require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
				if name == "health.yml" {
					_, err = LoadHealth(path)
				} else {
					_, err = Load(path, "")
				}
				require.NoError(t, err, file)
			}
		}
	}
	slices.Sort(rights)
	assert.Equal(t, []string{ // as the documentation of package kube has it
		"list and watch of endpointslices/discovery.k8s.io",
		"list and watch of horizontalpodautoscalers/autoscaling",
		"list and watch of namespaces/",
		"list and watch of pods/",
		"list and watch of services/",
		"list of pods/metrics.k8s.io",
	}, rights)
	for _, kind := range []string{"Deployment", "StatefulSet", "ClusterRoleBinding", "ServiceAccount"} {
		assert.Contains(t, kinds, kind)
	}
}

func TestLoadHealth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "health.yml")
	load := func(text string) error {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := LoadHealth(path)
		return err
	}
	require.NoError(t, load("health: {victorialogs: {url: 'http://vl:9428'}}"))
	require.NoError(t, load("route: {receiver: x}\ntocsin: {health: {victorialogs: {url: 'http://vl:9428'}}}"))
	assert.ErrorContains(t, load("tocsin: {}"), path+":1: tocsin.health: it is missing")
	assert.ErrorContains(t, load("health: {agents: 1}"), `unknown key "agents"`)
	assert.ErrorContains(t, load(""), "it is missing")
	assert.ErrorContains(t, load("a: ["), path)
}
