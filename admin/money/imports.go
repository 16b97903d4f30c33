package money

import (
	"context"
	"io"
	"net/http"
	"time"

	"tributary/admin"
	"tributary/attribution"
	"tributary/catalog"
)

// An Intake takes files of conversions. It makes them durable as it does every
// report, and says what the ledger made of each line.
type Intake interface {
	Import(ctx context.Context, from Importer, file io.Reader, dryRun bool) (Imported, error)
}

// An Importer is who imports, and whose conversions.
type Importer struct {
	KeyID        string
	AdvertiserID string
	Admin        bool // may force credit
}

// Imported says what became of a file of conversions.
type Imported struct {
	DryRun    bool         `json:"dry_run" doc:"Lines were read and checked, nothing was stored"`
	Lines     int          `json:"lines"`
	Accepted  int          `json:"accepted"`
	Duplicate int          `json:"duplicate" doc:"Known already, and the same"`
	Conflict  int          `json:"conflict" doc:"Known already with another amount"`
	Rejected  int          `json:"rejected"`
	Pending   int          `json:"pending" doc:"Stored, and to be settled in a moment"`
	Errors    []LineResult `json:"errors" nullable:"false" doc:"Lines that were not taken, the first 1,000"`
}

// A LineResult says why a line of a file was not taken.
type LineResult struct {
	Line    int    `json:"line" doc:"Of the file, from 1"`
	OrderID string `json:"order_id,omitempty"`
	Code    string `json:"code"`
	Reason  string `json:"reason"`
}

// MaxLineResults is how many lines that were not taken are named.
const MaxLineResults = 1_000

// importTimeout bounds one import by API; longer files go by the command line.
const importTimeout = 10 * time.Minute

type importInput struct {
	AdvertiserID string `query:"advertiser_id" doc:"Whose conversions these are; a key of an advertiser may leave it out"`
	DryRun       bool   `query:"dry_run" doc:"Say what would happen and store nothing"`
	admin.CSV
}

func (a *API) imports(api *admin.API) {
	admin.Register(api, admin.Operation{
		ID: "import-conversions", Method: http.MethodPost, Path: "/v1/conversions/import", Tag: "Conversions",
		Summary: "Import conversions from a CSV file", Roles: []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleIngest},
		Description:  "The first line names the fields. An order counts once, so that a file can be imported again after it was cut short.",
		MaxBodyBytes: admin.MaxBulkBodyBytes, Timeout: importTimeout, Waits: true,
	}, func(ctx context.Context, in *importInput) (*answer[Imported], error) {
		scope := admin.ScopeOf(ctx)
		from := Importer{KeyID: scope.KeyID, AdvertiserID: scope.AdvertiserID, Admin: scope.Role == catalog.RoleAdmin}
		switch {
		case from.Admin:
			from.AdvertiserID = in.AdvertiserID
		case in.AdvertiserID != "" && in.AdvertiserID != scope.AdvertiserID:
			return nil, attribution.Refuse(attribution.CodeNotFound, "there is no advertiser %.64q", in.AdvertiserID)
		}
		return answered(a.intake.Import(ctx, from, in.File(), in.DryRun))
	})
}
