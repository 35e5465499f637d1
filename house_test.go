package tocsin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The rules of the house, as tests: which package may import which, who pays for heavy modules, and
// what an importer pays. house_source_test.go holds the rules about the text of the source.

const module = "github.com/tocsin/tocsin"

// A goPackage is what the tests need of go list's output.
type goPackage struct {
	Dir, ImportPath, Name, Doc         string
	Imports, Deps                      []string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Standard                           bool
	Module                             *struct{ Path string }
}

// ours is the path within the module: "" for the root, "alarm" and so on.
func ours(importPath string) (string, bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// list runs go list once; the packages that it names first are ours.
var list = sync.OnceValues(func() ([]goPackage, error) {
	out, err := exec.Command("go", "list", "-e", "-deps", "-json=Dir,ImportPath,Name,Doc,Imports,Deps,GoFiles,TestGoFiles,XTestGoFiles,Standard,Module", "./...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("go list: %s", exit.Stderr)
		}
		return nil, err
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		all = append(all, p)
	}
})

// house returns the packages of this module.
func house(t *testing.T) []goPackage {
	t.Helper()
	all, err := list()
	require.NoError(t, err)
	all = slices.DeleteFunc(slices.Clone(all), func(p goPackage) bool {
		_, own := ours(p.ImportPath)
		return !own
	})
	require.NotEmpty(t, all)
	return all
}

func under(p, folder string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }

// refusal says why one package of ours may not import another, or nothing if it may.
func refusal(from, to string) string {
	switch {
	case to == "":
		return "the root is a map without code"
	case under(from, "cmd"):
		return ""
	case under(to, "cmd/internal"):
		return "cmd/internal is the server's own"
	case under(from, "examples"):
		return ""
	case under(to, "cmd"), under(to, "examples"):
		return "a package that is embedded knows no server"
	case from == "alarm/matcher", from == "alarm/failpoint":
		return from + " is a leaf: all others may import it"
	case to == "alarm/matcher", to == "alarm/failpoint":
		return ""
	case from == "alarm":
		return "alarm holds the nouns and the interfaces that it consumes: who implements them imports it"
	case to == "alarm", from == "cache" && to == "discovery":
		return ""
	case strings.HasPrefix(to, from+"/"):
		return "a parent never imports its child"
	case strings.HasPrefix(from, to+"/"):
		return ""
	case strings.Contains(from, "/") && refusal(path.Dir(from), to) == "":
		return "" // what its parent may import
	case path.Dir(from) == path.Dir(to):
		return "siblings never import each other: what both need is their parent's"
	}
	return "imports point one way: from a package to its parent, and to alarm"
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range house(t) {
		from, _ := ours(p.ImportPath)
		for _, imported := range p.Imports {
			if to, own := ours(imported); own {
				if why := refusal(from, to); why != "" {
					t.Errorf("%s must not import %s: %s", from, to, why)
				}
			}
		}
	}
}

// The rule itself, by example.
func TestRefusal(t *testing.T) {
	allowed := [][2]string{
		{"alarm", "alarm/matcher"},
		{"dedupe", "alarm"},
		{"alarm/route", "alarm"},
		{"alarm/route", "alarm/matcher"},
		{"alarm/sqlstore/sqlite", "alarm/sqlstore"},
		{"alarm/sqlstore/sqlite", "alarm"},
		{"notify/opsgenie", "notify"},
		{"notify/opsgenie/opsgenietest", "notify"},
		{"cache", "discovery"},
		{"cache/rediscache", "discovery"},
		{"cmd/server", "alarm/apiv2"},
		{"cmd/server", "cmd/internal/config"},
		{"examples/customsource", "cmd/server"},
		{"alarm/alarmtest", "alarm"},
	}
	for _, pair := range allowed {
		assert.Empty(t, refusal(pair[0], pair[1]), "%s imports %s", pair[0], pair[1])
	}
	refused := [][2]string{
		{"alarm/matcher", "alarm"},
		{"alarm", "alarm/route"},
		{"alarm", "dedupe"},
		{"dedupe", "depgraph"},
		{"depgraph", "notify"},
		{"alarm/apiv2", "alarm/source"},
		{"alarm/sqlstore", "alarm/sqlstore/sqlite"},
		{"notify", "notify/amreceiver"},
		{"notify/amreceiver", "notify/opsgenie"},
		{"discovery", "cache"},
		{"alarm/apiv2", "cmd/server"},
		{"dedupe", "alarm/route"},
		{"examples/customsource", "cmd/internal/config"},
		{"cmd/server", ""},
		{"alarm/route", "notify"},
	}
	for _, pair := range refused {
		assert.NotEmpty(t, refusal(pair[0], pair[1]), "%s imports %s", pair[0], pair[1])
	}
}

// heavy says who may import what is not to be everybody's: the longest prefix counts.
func heavy() map[string][]string {
	const am = "github.com/prometheus/alertmanager"
	return map[string][]string{
		am:                                       {"notify/amreceiver"},
		am + "/config":                           {"notify/amreceiver", "cmd/internal/config"},
		am + "/featurecontrol":                   {"alarm/matcher"},
		am + "/matcher":                          {"alarm/matcher"},
		am + "/pkg/labels":                       {"alarm/matcher"},
		am + "/timeinterval":                     {"alarm/route", "cmd/internal/config"},
		"github.com/alecthomas/kingpin":          {"cmd/server"},
		"github.com/go-sql-driver/mysql":         {"alarm/sqlstore/mysql"},
		"github.com/jackc/pgx":                   {"alarm/sqlstore/postgres"},
		"github.com/pressly/goose":               {"alarm/sqlstore", "alarm/sqlstore/sqlite", "alarm/sqlstore/postgres", "alarm/sqlstore/mysql"},
		"github.com/prometheus/exporter-toolkit": {"cmd/server"},
		"github.com/redis/go-redis":              {"cache/rediscache"},
		"github.com/teambition/rrule-go":         {"alarm/silence"},
		"go.yaml.in/yaml":                        {"cmd/internal/config"},
		"gopkg.in/yaml":                          {"cmd/internal/config"},
		"k8s.io":                                 {"discovery/kube", "discovery/kube/kubetest"},
		"modernc.org":                            {"alarm/sqlstore/sqlite"},
	}
}

// importers returns who may import a package, or false if everybody may.
func importers(imported string) ([]string, bool) {
	longest, who := "", []string(nil)
	for prefix, allowed := range heavy() {
		if strings.HasPrefix(imported, prefix) && len(prefix) > len(longest) {
			longest, who = prefix, allowed
		}
	}
	return who, longest != ""
}

func TestHeavyModulesHaveOneImporter(t *testing.T) {
	for _, p := range house(t) {
		from, _ := ours(p.ImportPath)
		for _, imported := range p.Imports {
			if allowed, restricted := importers(imported); restricted && !slices.Contains(allowed, from) {
				t.Errorf("%s must not import %s: only %s may, so that nobody else pays for it", from, imported, strings.Join(allowed, " and "))
			}
		}
	}
}

func TestImporters(t *testing.T) {
	for imported, want := range map[string][]string{
		"github.com/prometheus/alertmanager/dispatch":       {"notify/amreceiver"},
		"github.com/prometheus/alertmanager/matcher/compat": {"alarm/matcher"},
		"github.com/prometheus/alertmanager/config/common":  {"notify/amreceiver", "cmd/internal/config"},
		"gopkg.in/yaml.v2":                   {"cmd/internal/config"},
		"github.com/prometheus/common/model": nil,
	} {
		got, restricted := importers(imported)
		assert.Equal(t, want, got, imported)
		assert.Equal(t, want != nil, restricted, imported)
	}
}

// Who embeds one of these packages pays for the alert model and the matcher language.
func TestWhatAnImporterPays(t *testing.T) {
	allowed := []string{
		module,
		"github.com/prometheus/common",       // labels, and the logger that the matcher language is given
		"github.com/prometheus/client_model", // by common/model
		"google.golang.org/protobuf",         // by client_model
		"github.com/cespare/xxhash",          // the notification log's hash
		"github.com/prometheus/alertmanager/featurecontrol",
		"github.com/prometheus/alertmanager/matcher",
		"github.com/prometheus/alertmanager/pkg/labels",
	}
	all, err := list()
	require.NoError(t, err)
	standard := map[string]bool{}
	for _, p := range all {
		standard[p.ImportPath] = p.Standard
	}
	for _, p := range all {
		name, own := ours(p.ImportPath)
		if !own || !slices.Contains([]string{"alarm", "alarm/matcher", "dedupe", "depgraph"}, name) {
			continue
		}
		for _, dep := range p.Deps {
			if standard[dep] || slices.ContainsFunc(allowed, func(a string) bool { return under(dep, a) || strings.HasPrefix(dep, a+"/") }) {
				continue
			}
			t.Errorf("%s costs its importers %s, which is not on the list", name, dep)
		}
	}
}

// Only these folders stand at the top.
func TestFolders(t *testing.T) {
	folders := []string{"alarm", "cache", "cmd", "dedupe", "depgraph", "discovery", "examples", "notify"}
	unkept := []string{"bin", "data"} // written by make, in .gitignore
	files := []string{"doc.go", "go.mod", "go.sum", "house_source_test.go", "house_test.go", "LICENSE", "Makefile", "README.md"}
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			assert.Contains(t, append(folders, unkept...), e.Name(), "no place in the house for this folder")
		case strings.HasSuffix(e.Name(), ".test"), strings.HasSuffix(e.Name(), ".prof"):
		default:
			assert.Contains(t, files, e.Name(), "no place in the house for this file")
		}
	}
}

func TestPackageNames(t *testing.T) {
	for _, p := range house(t) {
		assert.NotContains(t, []string{"util", "utils", "common", "misc", "types", "base", "models"}, p.Name, "%s: the name says nothing", p.ImportPath)
	}
}
