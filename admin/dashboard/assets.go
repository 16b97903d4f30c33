package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

var (
	//go:embed assets
	ownFiles embed.FS

	// thirdParty holds uPlot if `make build` has put it there.
	//go:embed thirdparty
	thirdParty embed.FS
)

// assets are the files pages ask for. Their addresses hold a digest of all of
// them, so that a browser keeps them for ever and modules find each other by
// their plain names.
type assets struct {
	digest string
	files  map[string]asset
}

type asset struct {
	mediaType           string
	content, compressed []byte
}

func loadAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	whole := sha256.New()
	for _, from := range []struct {
		dir   string
		files fs.FS
	}{{"assets", ownFiles}, {"thirdparty", thirdParty}} {
		err := fs.WalkDir(from.files, from.dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || mediaTypeOf(name) == "" {
				return err
			}
			content, err := fs.ReadFile(from.files, name)
			if err != nil {
				return err
			}
			fmt.Fprintf(whole, "%s %d\n", name, len(content))
			whole.Write(content)
			a.files[path.Base(name)] = asset{mediaTypeOf(name), content, compress(content)}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("dashboard: read the assets: %w", err)
		}
	}
	if _, found := a.files["uplot.js"]; !found {
		return nil, fmt.Errorf("dashboard: uPlot is not in this binary: build it with `make build`, or run `make assets` first")
	}
	a.digest = hex.EncodeToString(whole.Sum(nil)[:8])
	return a, nil
}

// mediaTypeOf is empty for files that are not served.
func mediaTypeOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css", ".svg":
		return mime.TypeByExtension(path.Ext(name))
	}
	return ""
}

// address is where an asset is served. One that does not exist is a mistake of the
// programmer, found when the templates are rendered in tests.
func (a *assets) address(name string) string {
	if _, found := a.files[name]; !found {
		panic("dashboard: there is no asset " + name)
	}
	return "/assets/" + a.digest + "/" + name
}

// ServeHTTP sends an asset. An address of another build leads to this one's file,
// which is then not kept.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, found := a.files[r.PathValue("name")]
	if !found {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	if r.PathValue("digest") == a.digest {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("Content-Type", file.mediaType)
	w.Header().Add("Vary", "Accept-Encoding")
	if acceptsGzip(r) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(file.compressed) // a client that left has no use for it
		return
	}
	_, _ = w.Write(file.content)
}

func acceptsGzip(r *http.Request) bool {
	for _, coding := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		if name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";"); name == "gzip" && strings.TrimSpace(weight) != "q=0" {
			return true
		}
	}
	return false
}

func compress(content []byte) []byte {
	var out bytes.Buffer
	writer, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // fails for a wrong level only
	_, _ = writer.Write(content)                                 // a buffer takes everything
	_ = writer.Close()
	return out.Bytes()
}

// sendCompressed sends a page. It holds no secret that its compressed length could
// tell: the CSRF token is in a cookie.
func sendCompressed(w http.ResponseWriter, r *http.Request, status int, content []byte) {
	w.Header().Add("Vary", "Accept-Encoding")
	if !acceptsGzip(r) {
		w.WriteHeader(status)
		_, _ = w.Write(content)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	writer, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	_, _ = writer.Write(content)
	_ = writer.Close()
}
