package admin

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"tributary/attribution"
)

type requestIDKey struct{}

func requestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// outermost does what every request gets, whatever its path: an id, the
// headers that keep browsers careful, a log line, and an answer even to a panic.
func outermost(o Options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := requestID(r.Header.Get("X-Request-Id"))
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		watched := &watchedWriter{ResponseWriter: w}
		setCommonHeaders(w.Header(), id, o.Sandbox)
		defer func() {
			if thrown := recover(); thrown != nil {
				settlePanic(o.Logger, watched, r, thrown)
			}
			o.Logger.LogAttrs(r.Context(), slog.LevelDebug, "admin request", slog.String("request_id", id),
				slog.String("method", r.Method), slog.String("path", r.URL.Path),
				slog.Int("status", watched.status), slog.Duration("took", time.Since(began)))
		}()
		if err := checkURL(r.URL); err != nil {
			writeProblem(watched, asProblem(err))
			return
		}
		next.ServeHTTP(watched, r)
	})
}

func setCommonHeaders(h http.Header, requestID string, sandbox bool) {
	h.Set("X-Request-Id", requestID)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	if sandbox {
		h.Set("X-Tributary-Sandbox", "true")
	}
}

// requestID takes the client's id when it is safe to write into a log.
func requestID(given string) string {
	const longest = 64
	unsafe := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	}
	if given != "" && len(given) <= longest && !strings.ContainsFunc(given, unsafe) {
		return given
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// checkURL refuses what no store could look up.
func checkURL(u *url.URL) *attribution.Problem {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return attribution.Refuse(codeMalformedURL, "the query cannot be read: %v", err)
	}
	parts := []string{u.Path}
	for name, values := range query {
		parts = append(append(parts, name), values...)
	}
	for _, part := range parts {
		if !utf8.ValidString(part) || strings.ContainsRune(part, 0) {
			return attribution.Refuse(codeMalformedURL, "the address holds bytes that are not text")
		}
	}
	return nil
}

// settlePanic logs a panic and answers 500 without its internals. A client that
// went away during the answer is no fault.
func settlePanic(logger *slog.Logger, w *watchedWriter, r *http.Request, thrown any) {
	if thrown == http.ErrAbortHandler {
		panic(thrown)
	}
	id := requestIDOf(r.Context())
	var broken *net.OpError
	if err, ok := thrown.(error); ok && errors.As(err, &broken) {
		logger.Debug("client left during the answer", "request_id", id, "error", err)
		return
	}
	logger.Error("panic while answering a request", "request_id", id, "method", r.Method, "path", r.URL.Path,
		"panic", fmt.Sprint(thrown), "stack", string(debug.Stack()))
	if w.status == 0 {
		writeProblem(w, asProblem(attribution.Refuse(codeInternal, "the server could not do this; its log has the reason under request %s", id)))
		return
	}
	panic(http.ErrAbortHandler) // an answer that was cut short must not look whole
}

// A watchedWriter remembers the status that was sent.
type watchedWriter struct {
	http.ResponseWriter
	status int
}

func (w *watchedWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush lets streams be written through.
func (w *watchedWriter) Flush() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// routed answers with a problem where the mux would answer with text, or with a
// page where a person looks.
func routed(mux *http.ServeMux, missing http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		verdict := &bareAnswer{header: http.Header{}}
		handler.ServeHTTP(verdict, r)
		if verdict.status == http.StatusMethodNotAllowed {
			allowed := verdict.header.Get("Allow")
			w.Header().Set("Allow", allowed)
			writeProblem(w, asProblem(attribution.Refuse(codeMethodNotAllowed, "%s does not go with %s; these do: %s", r.Method, r.URL.Path, allowed)))
			return
		}
		if missing != nil && isBrowsing(r) {
			missing.ServeHTTP(w, r)
			return
		}
		writeProblem(w, asProblem(attribution.Refuse(attribution.CodeNotFound, "there is nothing at %s; /docs lists what there is", r.URL.Path)))
	})
}

// isBrowsing reports whether a request is a person's who goes to a page.
func isBrowsing(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && !strings.HasPrefix(r.URL.Path, "/v1/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// A bareAnswer is read for its status and header, not sent.
type bareAnswer struct {
	header http.Header
	status int
}

func (b *bareAnswer) Header() http.Header         { return b.header }
func (b *bareAnswer) WriteHeader(status int)      { b.status = status }
func (b *bareAnswer) Write(p []byte) (int, error) { return len(p), nil }

func alive(version string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]string{"status": "ok", "version": version})
	})
}

func ready(check func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if check != nil {
			if err := check(); err != nil {
				writeProblem(w, asProblem(attribution.Refuse(codeNotReady, "%v", err)))
				return
			}
		}
		writeJSON(w, map[string]string{"status": "ready"})
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that left has no use for it
}
