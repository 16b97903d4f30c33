package admin

import (
	"context"
	"net/http"
	"time"

	"tributary/attribution"
	"tributary/catalog"
)

type auditQuery struct {
	PageQuery
	KeyID   string    `query:"key_id" doc:"Who wrote"`
	Verb    string    `query:"verb"`
	Thing   string    `query:"thing" doc:"Kind of thing, such as campaign"`
	ThingID string    `query:"thing_id"`
	From    time.Time `query:"from" doc:"From this time on"`
	To      time.Time `query:"to" doc:"Before this time"`
}

func (a *API) auditLog() {
	Register(a, Operation{
		ID: "list-audit-log", Method: http.MethodGet, Path: "/v1/audit-log", Tag: "Audit log",
		Summary: "Who changed what, and when", Roles: []string{catalog.RoleAdmin, catalog.RoleAdvertiser},
	}, func(ctx context.Context, q *auditQuery) (*listed[catalog.AuditEntry], error) {
		filter := catalog.AuditFilter{KeyID: q.KeyID, Verb: q.Verb, Thing: q.Thing, ThingID: q.ThingID,
			From: attribution.InstantOrNone(q.From), To: attribution.InstantOrNone(q.To)}
		list, err := a.catalog.AuditLog(ctx, ScopeOf(ctx), filter, q.Page())
		if err != nil {
			return nil, err
		}
		return inPage(list, func(e catalog.AuditEntry) catalog.AuditEntry { return e }), nil
	})
}
