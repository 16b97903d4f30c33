package admin

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"tributary/caller"
	"tributary/catalog"
)

// Options are what the admin handler is made of.
type Options struct {
	Catalog *catalog.Catalog
	Logger  *slog.Logger
	Version string       // of the binary, shown by /healthz
	Sandbox bool         // marks every answer with X-Tributary-Sandbox
	Metrics http.Handler // /metrics; without it there is none
	Ready   func() error // nil error: the process can do its job; nil func: always
	Routes  []Routes     // operations of other packages

	// LinkDomains answers GET /domains/allowed, which a proxy asks before it gets a
	// certificate for a host; nil: there is no such address.
	LinkDomains http.Handler

	Proxies  *caller.Proxies // whose X-Forwarded-For counts; nil: nobody's
	KeyLimit caller.Limit    // keys that open nothing, per network; caller.KeyLimit

	// Pages adds what people see in a browser; nil: there is nothing to see.
	Pages func(*http.ServeMux)
	// Missing answers a browser at an address where there is nothing, outside of
	// /v1; nil: with a problem, as everybody else.
	Missing http.Handler
}

// Routes adds the operations of another package to the API, with Register.
type Routes func(*API)

// An API is the set of operations under /v1.
type API struct {
	catalog *catalog.Catalog
	logger  *slog.Logger
	huma    huma.API
	proxies *caller.Proxies
	tries   *caller.Tries

	examples map[string]Example
}

// New makes the handler of the admin listener. It panics when operations clash,
// which a test finds before anybody else does.
func New(o Options) http.Handler {
	mux := http.NewServeMux()
	api := newAPI(mux, o)
	document, err := api.document()
	if err != nil {
		panic(fmt.Sprintf("the OpenAPI document cannot be written: %v", err))
	}
	mux.Handle("GET /openapi.json", static("application/openapi+json", document))
	mux.Handle("GET /docs", newDocs(api.huma.OpenAPI(), api.examples))
	addSigns(mux, o)
	if o.Pages != nil {
		o.Pages(mux)
	}
	return outermost(o, routed(mux, o.Missing))
}

// OpenAPI is the API's OpenAPI 3.1 document, indented, the same bytes for the
// same operations.
func OpenAPI(routes ...Routes) ([]byte, error) {
	return newAPI(http.NewServeMux(), Options{Routes: routes}).document()
}

func newAPI(mux *http.ServeMux, o Options) *API {
	examples, err := Examples()
	if err != nil {
		panic(err.Error())
	}
	if o.KeyLimit == (caller.Limit{}) {
		o.KeyLimit = caller.KeyLimit
	}
	a := &API{
		catalog: o.Catalog, logger: o.Logger, huma: humago.New(mux, humaConfig()), examples: examples,
		proxies: o.Proxies, tries: caller.NewTries(o.KeyLimit),
	}
	a.advertisers()
	a.creators()
	a.campaigns()
	a.participations()
	a.invitations()
	a.tasks()
	a.links()
	a.codes()
	a.drafts()
	a.posts()
	a.termsTemplates()
	a.keys()
	a.me()
	a.secrets()
	a.auditLog()
	for _, add := range o.Routes {
		add(a)
	}
	forgetForeignErrors(a.huma.OpenAPI())
	exemplify(a.huma.OpenAPI(), a.examples)
	return a
}

func (a *API) document() ([]byte, error) {
	document, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	return append(document, '\n'), nil
}

func static(mediaType string, content []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = w.Write(content) // a client that left has no use for it
	})
}
