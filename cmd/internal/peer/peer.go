// Package peer builds Alertmanager, the server that tocsin is measured and tested against, in the
// version that the module depends on.
package peer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "github.com/prometheus/alertmanager"

// Build builds Alertmanager in a folder that is there, and returns the path of the binary. It must be
// called from within tocsin's module.
//
// Its package ui embeds a folder that the module's archive lacks, and go build -overlay refuses files
// of the module cache; so it is built from a copy that has the folder, by a go.mod that puts the copy
// in its place.
func Build(dir string) (string, error) {
	source, err := Go("list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return "", err
	}
	ours, err := Go("env", "GOMOD")
	if err != nil {
		return "", err
	}
	patched, mod := filepath.Join(dir, "alertmanager-source"), filepath.Join(dir, "peer.mod")
	if err := os.CopyFS(patched, os.DirFS(source)); err != nil {
		return "", fmt.Errorf("copy Alertmanager: %w", err)
	}
	assets := filepath.Join(patched, "ui", "app", "dist")
	if err := os.MkdirAll(assets, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(assets, "index.html"), nil, 0o644); err != nil {
		return "", err
	}
	for from, to := range map[string]string{ours: mod, strings.TrimSuffix(ours, ".mod") + ".sum": filepath.Join(dir, "peer.sum")} {
		text, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return "", err
		}
	}
	if _, err := Go("mod", "edit", "-replace", module+"="+patched, mod); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "alertmanager")
	_, err = Go("build", "-modfile", mod, "-o", path, module+"/cmd/alertmanager")
	return path, err
}

// Go runs the go command and returns what it prints. An error holds what it complained of.
func Go(args ...string) (string, error) {
	out, err := exec.Command("go", args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}
