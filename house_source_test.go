package tocsin_test

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parse returns the syntax of some files of a package.
func parse(t *testing.T, fset *token.FileSet, p goPackage, names []string) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, f)
	}
	return files
}

func TestPackagesAreDocumented(t *testing.T) {
	for _, p := range house(t) {
		if p.Doc == "" {
			t.Errorf("%s: say what the package is for", p.ImportPath)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, p := range house(t) {
		if p.Name == "main" {
			continue
		}
		fset := token.NewFileSet()
		d, err := doc.NewFromFiles(fset, parse(t, fset, p, p.GoFiles), p.ImportPath)
		require.NoError(t, err)
		for _, name := range undocumented(d) {
			t.Errorf("%s.%s has no documentation", p.ImportPath, name)
		}
	}
}

// undocumented returns the exported names without a comment.
func undocumented(d *doc.Package) []string {
	var names []string
	check := func(name, comment string) {
		if comment == "" {
			names = append(names, name)
		}
	}
	values := func(vs []*doc.Value) {
		for _, v := range vs {
			if v.Doc != "" {
				continue
			}
			for _, spec := range v.Decl.Specs { // a group without a comment: one for each
				if s, ok := spec.(*ast.ValueSpec); ok && ast.IsExported(s.Names[0].Name) {
					check(s.Names[0].Name, s.Doc.Text()+s.Comment.Text())
				}
			}
		}
	}
	funcs := func(owner string, fs []*doc.Func) {
		for _, f := range fs {
			check(owner+f.Name, f.Doc)
		}
	}
	values(d.Consts)
	values(d.Vars)
	funcs("", d.Funcs)
	for _, typ := range d.Types {
		check(typ.Name, typ.Doc)
		values(typ.Consts)
		values(typ.Vars)
		funcs("", typ.Funcs)
		funcs(typ.Name+".", typ.Methods)
	}
	return names
}

func TestPublicPackagesHaveAnExample(t *testing.T) {
	for _, p := range house(t) {
		name, _ := ours(p.ImportPath)
		if name == "" || p.Name == "main" || strings.HasSuffix(name, "test") || strings.Contains(name, "internal/") || under(name, "examples") {
			continue
		}
		if len(doc.Examples(parse(t, token.NewFileSet(), p, p.XTestGoFiles)...)) == 0 {
			t.Errorf("%s: show its main use in an Example, in package %s_test", name, p.Name)
		}
	}
}

// No state that nobody passed in: what a package-level variable may be is a constant in all but name
// (an error, a regular expression, a metric's description, an array), a pool of buffers, an assertion
// that a type fits, an embedded file, or something on this list.
func TestNoMutablePackageVariables(t *testing.T) {
	allowed := map[string]string{
		"alarm/alarmtest.update":    "a flag of the tests that use it",
		"alarm/apiv2.plain":         "an array, computed",
		"alarm/alarmtest.epoch":     "an instant, computed",
		"alarm/silence.ErrNotFound": "an error of a type of ours, so that it can say that it is one",
		"alarm/sqlstore.plain":      "an array, computed",
		"alarm/matcher.ready":       "Alertmanager's matcher packages keep their mode in variables of their own; this sets it once",
	}
	used := map[string]bool{}
	for _, p := range house(t) {
		name, _ := ours(p.ImportPath)
		for _, file := range parse(t, token.NewFileSet(), p, p.GoFiles) {
			for _, found := range stateful(file) {
				key := name + "." + found
				used[key] = true
				if allowed[key] == "" {
					t.Errorf("%s: pass it in, or say on the list in this test why it must be", key)
				}
			}
		}
	}
	for key := range allowed {
		assert.True(t, used[key], "%s is gone: take it off the list", key)
	}
}

// stateful returns the names of package-level variables that may change, and of init functions.
func stateful(file *ast.File) []string {
	var names []string
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil && decl.Name.Name == "init" {
				names = append(names, "init")
			}
		case *ast.GenDecl:
			if decl.Tok != token.VAR {
				continue
			}
			for _, spec := range decl.Specs {
				spec := spec.(*ast.ValueSpec)
				embedded := strings.Contains(comments(decl.Doc)+comments(spec.Doc), "//go:embed")
				for _, n := range spec.Names {
					if n.Name == "_" || embedded || isConstant(spec) {
						continue
					}
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}

func comments(g *ast.CommentGroup) string {
	if g == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range g.List {
		b.WriteString(c.Text)
	}
	return b.String()
}

// isConstant says whether a variable holds what nobody means to change.
func isConstant(spec *ast.ValueSpec) bool {
	if len(spec.Values) != 1 {
		return false
	}
	switch value := spec.Values[0].(type) {
	case *ast.CallExpr:
		return slices.Contains([]string{"errors.New", "fmt.Errorf", "regexp.MustCompile", "prometheus.NewDesc"}, types.ExprString(value.Fun))
	case *ast.CompositeLit:
		array, ok := value.Type.(*ast.ArrayType)
		return ok && array.Len != nil || types.ExprString(value.Type) == "sync.Pool"
	}
	return false
}

// The rules themselves, by example.
func TestSourceRules(t *testing.T) {
	const source = `// Package p is an example.
package p

import "errors"

// ErrGone is documented, and a constant in all but name.
var ErrGone = errors.New("gone")

var _ error = ErrGone

var cache = map[string]int{}

var list = []int{1}

var table = [...]int{1}

func init() { cache["x"]++ }

type Public struct{}

// String is documented.
func (Public) String() string { return "" }

func (Public) Close() {}

// Kinds have one comment.
const (
	A = iota
	B
)

const (
	C = 1 // documented
	D = 2
)
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	assert.Equal(t, []string{"cache", "list", "init"}, stateful(file))
	d, err := doc.NewFromFiles(fset, []*ast.File{file}, "p")
	require.NoError(t, err)
	assert.Equal(t, []string{"D", "Public", "Public.Close"}, undocumented(d))
}

// Past 400 lines a file is looked at again, and stays only for a reason.
func TestFilesAreShort(t *testing.T) {
	const limit = 400
	allowed := map[string]string{}
	walk(t, func(name string, text []byte) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return
		}
		lines := bytes.Count(text, []byte("\n"))
		if _, ok := allowed[name]; ok {
			assert.Greater(t, lines, limit, "%s is short now: take it off the list", name)
			return
		}
		assert.LessOrEqual(t, lines, limit, "%s: one concept per file", name)
	})
}

func TestFormatted(t *testing.T) {
	walk(t, func(name string, text []byte) {
		if !strings.HasSuffix(name, ".go") {
			return
		}
		formatted, err := format.Source(text)
		require.NoError(t, err, name)
		if !bytes.Equal(text, formatted) {
			t.Errorf("%s: run gofmt -w on it", name)
		}
	})
}

// What is written here is for everybody, on any machine.
func TestForbiddenWords(t *testing.T) {
	forbidden := map[string]string{
		"/wo" + "rk/":         "a path of one machine",
		"/ro" + "ot/":         "a path of one machine",
		"pro" + "xy.golang.":  "a host that not everybody can reach",
		"deb" + ".debian.org": "a host that not everybody can reach",
		"gh" + "cr.io":        "a host that not everybody can reach",
		"TO" + "DO":           "do it, or leave it out",
		"FIX" + "ME":          "fix it",
	}
	walk(t, func(name string, text []byte) {
		for _, word := range slices.Sorted(maps.Keys(forbidden)) {
			if i := bytes.Index(text, []byte(word)); i >= 0 {
				t.Errorf("%s:%d: %q: %s", name, 1+bytes.Count(text[:i], []byte("\n")), word, forbidden[word])
			}
		}
	})
}

// walk calls visit for every file that is kept, but for go.sum and the inputs of fuzz tests.
func walk(t *testing.T, visit func(name string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (name == ".git" || name == "bin" || name == "data" || e.Name() == "fuzz"):
			return filepath.SkipDir
		case !e.Type().IsRegular(), name == "go.sum", name == "LICENSE":
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if bytes.IndexByte(text, 0) < 0 { // not a database, picture or test binary
			visit(filepath.ToSlash(name), text)
		}
		return nil
	})
	require.NoError(t, err)
}
