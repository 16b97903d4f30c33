package money

import (
	"context"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/attribution"
)

// An Audit says whether the books agree: received = stored + spooled + quarantined
// + rejected, and the ledger's totals equal ClickHouse's to the minor unit.
type Audit struct {
	Agree       bool                `json:"agree"`
	At          attribution.Instant `json:"at"`
	Lines       []string            `json:"lines" nullable:"false" doc:"What was added up"`
	Differences []string            `json:"differences" nullable:"false"`
}

// An Auditor adds everything up at a settled moment.
type Auditor interface {
	Audit(ctx context.Context) (Audit, error)
}

// auditTimeout bounds one audit: it reads every row.
const auditTimeout = 15 * time.Minute

// AuditRoutes is the audit of a running process.
func AuditRoutes(books Auditor) admin.Routes {
	return func(api *admin.API) {
		admin.Register(api, admin.Operation{
			ID: "audit", Method: http.MethodGet, Path: "/v1/audit", Tag: "Operations", Summary: "Add everything up and say what differs",
			Description: "What waits in the ledger's outbox is copied to ClickHouse first; writers wait as long. It reads every row of the money tables.",
			Roles:       operators, Timeout: auditTimeout,
		}, func(ctx context.Context, _ *struct{}) (*answer[Audit], error) { return answered(books.Audit(ctx)) })
	}
}
