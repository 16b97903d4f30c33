package money

import (
	"context"

	"tributary/admin"
	"tributary/catalog"
	"tributary/ledger"
)

var (
	everybody = []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator}
	payers    = []string{catalog.RoleAdmin, catalog.RoleAdvertiser}
	operators = []string{catalog.RoleAdmin}
)

// An API is the operations of the money half on a ledger.
type API struct {
	ledger *ledger.Ledger
	intake Intake
}

// Routes are the operations of the money half.
func Routes(l *ledger.Ledger, intake Intake) admin.Routes {
	return func(api *admin.API) {
		a := &API{ledger: l, intake: intake}
		a.conversions(api)
		a.actions(api)
		a.actionSteps(api)
		a.quarantine(api)
		a.fraud(api)
		a.tasks(api)
		a.earnings(api)
		a.payouts(api)
		a.rates(api)
		a.inquiries(api)
		a.imports(api)
		a.attribution(api)
	}
}

// scopeOf is whose eyes a request sees with.
func scopeOf(ctx context.Context) ledger.Scope { return ledger.Scope(admin.ScopeOf(ctx)) }

func pageOf(q admin.PageQuery) ledger.Page { return ledger.Page{Cursor: q.Cursor, Limit: q.Limit} }

type answer[T any] = admin.Answer[T]

// A page is one part of a list as the client sees it.
type page[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Give it as cursor for the next page; absent on the last"`
}

type listed[T any] struct{ Body page[T] }

func answered[T any](value T, err error) (*answer[T], error) { return admin.Answered(value, err) }

func inPage[T any](list ledger.List[T], err error) (*listed[T], error) {
	if err != nil {
		return nil, err
	}
	if list.Items == nil {
		list.Items = []T{}
	}
	return &listed[T]{page[T]{list.Items, list.NextCursor}}, nil
}

// all is a list that is never cut.
func all[T any](items []T, err error) (*listed[T], error) {
	return inPage(ledger.List[T]{Items: items}, err)
}
