package web

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
)

// assets are the style sheet, the scripts and the icons. They stand in one folder that is named for
// the hash of them all, so that a script finds its neighbours of the same build by a relative name,
// and a browser may keep them for ever.
type assets struct {
	hash  string
	files map[string][]byte
}

// assetType does not ask the system, whose table of types may say something else.
func assetType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "application/octet-stream"
	}
}

func newAssets(files fs.FS) (assets, error) {
	names, err := fs.Glob(files, "*")
	if err != nil {
		return assets{}, fmt.Errorf("list assets: %w", err)
	}
	slices.Sort(names)
	a := assets{files: make(map[string][]byte, len(names))}
	sum := sha256.New()
	for _, name := range names {
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return assets{}, fmt.Errorf("read asset: %w", err)
		}
		a.files[name] = body
		fmt.Fprintf(sum, "%s %d ", name, len(body))
		sum.Write(body)
	}
	a.hash = hex.EncodeToString(sum.Sum(nil)[:8])
	return a, nil
}

// serve answers under any hash: a page of another build must not lose its looks. Only what was asked
// for by its true hash may be kept.
func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	cache := "no-cache"
	if r.PathValue("hash") == a.hash {
		cache = "public, max-age=31536000, immutable"
	}
	a.write(w, r, r.PathValue("name"), cache)
}

// serveIcon is for browsers that ask without having read a page. They accept SVG here.
func (a assets) serveIcon(w http.ResponseWriter, r *http.Request) {
	a.write(w, r, "bell.svg", "public, max-age=86400")
}

func (a assets) write(w http.ResponseWriter, r *http.Request, name, cache string) {
	body, ok := a.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", assetType(name))
	w.Header().Set("Cache-Control", cache)
	_, _ = w.Write(body) // an error means that the reader went away
}
