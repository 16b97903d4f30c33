package admin

import (
	"net/http"

	"tributary/attribution"
)

// NewSigns makes the handler of an admin listener without an API, as a node has
// that is a tracker alone: /healthz, /readyz, /metrics and /domains/allowed, and for
// everything else a problem that says elsewhere, where to ask. Of the options it uses
// Logger, Version, Sandbox, Metrics, Ready and LinkDomains.
func NewSigns(o Options, elsewhere string) http.Handler {
	mux := http.NewServeMux()
	addSigns(mux, o)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "5")
		writeProblem(w, asProblem(attribution.Refuse(codeNotReady, "%s", elsewhere)))
	})
	return outermost(o, mux)
}

// addSigns adds what tells how the process does.
func addSigns(mux *http.ServeMux, o Options) {
	mux.Handle("GET /healthz", alive(o.Version))
	mux.Handle("GET /readyz", ready(o.Ready))
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	if o.LinkDomains != nil {
		mux.Handle("GET /domains/allowed", o.LinkDomains)
	}
}
