package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"tributary/attribution"
	"tributary/catalog"
)

// A collection is the same five verbs that every thing has, so that each thing
// only says how it differs. F is what a client writes, T the whole thing, Q the
// query of its list. A verb that no role may use does not exist.
type collection[F, T, Q any] struct {
	one, many string // "campaign", "campaigns": the path, the names of operations
	tag       string

	mayCreate, mayList, mayRead, mayPatch, mayArchive []string // roles

	create  func(context.Context, catalog.Scope, F) (T, error)
	list    func(context.Context, catalog.Scope, *Q) (catalog.List[T], error)
	read    func(context.Context, catalog.Scope, string) (T, error)
	patch   func(context.Context, catalog.Scope, string, []byte) (T, error)
	archive func(context.Context, catalog.Scope, string) error

	id   func(T) string
	view func(catalog.Scope, T) T // nil: every role that may read it sees all of it
	// sealed are the fields a role may not patch, not even to what they are:
	// the answer would tell a hidden value from a wrong guess.
	sealed map[string][]string
}

// ByID, embedded in an operation's input, is the thing its path names.
type ByID struct {
	ID string `path:"id"`
}

type (
	makeInput[F any]  struct{ JSON[F] }
	patchInput[F any] struct {
		ByID
		Patch[F]
	}
	made[T any] struct {
		Location string `header:"Location" doc:"Where the thing now is"`
		Body     T
	}
	listed[T any] struct{ Body page[T] }
	nothing       struct{}
)

// A page is one part of a list as the client sees it.
type page[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"next_cursor,omitempty" doc:"Give it as cursor for the next page; absent on the last"`
}

// PageQuery, embedded in a list's input, asks for a part of it.
type PageQuery struct {
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Most items of a page"`
}

// Page is the same as the catalog has it.
func (q PageQuery) Page() catalog.Page { return catalog.Page{Cursor: q.Cursor, Limit: q.Limit} }

// register adds the verbs that have roles.
func (c collection[F, T, Q]) register(a *API) {
	path := "/v1/" + c.many
	operation := func(roles []string, id, method, path, summary string, status int) Operation {
		return Operation{ID: id, Method: method, Path: path, Tag: c.tag, Summary: summary, Roles: roles, Status: status}
	}
	if len(c.mayCreate) > 0 {
		Register(a, operation(c.mayCreate, "create-"+c.one, http.MethodPost, path, "Make "+article(c.one), http.StatusCreated), c.doCreate(path))
	}
	if len(c.mayList) > 0 {
		Register(a, operation(c.mayList, "list-"+c.many, http.MethodGet, path, "List "+spaced(c.many), 0), c.doList)
	}
	if len(c.mayRead) > 0 {
		Register(a, operation(c.mayRead, "get-"+c.one, http.MethodGet, path+"/{id}", "Read "+article(c.one), 0), c.doRead)
	}
	if len(c.mayPatch) > 0 {
		Register(a, operation(c.mayPatch, "patch-"+c.one, http.MethodPatch, path+"/{id}", "Change "+article(c.one), 0), c.doPatch)
	}
	if len(c.mayArchive) > 0 {
		Register(a, operation(c.mayArchive, "archive-"+c.one, http.MethodDelete, path+"/{id}", "Archive "+article(c.one), http.StatusNoContent), c.doArchive)
	}
}

func (c collection[F, T, Q]) doCreate(path string) func(context.Context, *makeInput[F]) (*made[T], error) {
	return func(ctx context.Context, in *makeInput[F]) (*made[T], error) {
		scope := ScopeOf(ctx)
		t, err := c.create(ctx, scope, in.Value())
		if err != nil {
			return nil, err
		}
		return &made[T]{Location: path + "/" + c.id(t), Body: c.seen(scope, t)}, nil
	}
}

func (c collection[F, T, Q]) doList(ctx context.Context, in *Q) (*listed[T], error) {
	scope := ScopeOf(ctx)
	list, err := c.list(ctx, scope, in)
	if err != nil {
		return nil, err
	}
	return inPage(list, func(t T) T { return c.seen(scope, t) }), nil
}

func (c collection[F, T, Q]) doRead(ctx context.Context, in *ByID) (*Answer[T], error) {
	return c.answer(ctx, func(scope catalog.Scope) (T, error) { return c.read(ctx, scope, in.ID) })
}

func (c collection[F, T, Q]) doPatch(ctx context.Context, in *patchInput[F]) (*Answer[T], error) {
	return c.answer(ctx, func(scope catalog.Scope) (T, error) {
		if err := refuseSealed(in.RawBody, c.sealed[scope.Role]); err != nil {
			var none T
			return none, err
		}
		return c.patch(ctx, scope, in.ID, bytes.Clone(in.RawBody))
	})
}

func (c collection[F, T, Q]) doArchive(ctx context.Context, in *ByID) (*nothing, error) {
	if err := c.archive(ctx, ScopeOf(ctx), in.ID); err != nil {
		return nil, err
	}
	return &nothing{}, nil
}

// answer gives what a step yields, as the scope may see it.
func (c collection[F, T, Q]) answer(ctx context.Context, step func(catalog.Scope) (T, error)) (*Answer[T], error) {
	scope := ScopeOf(ctx)
	t, err := step(scope)
	if err != nil {
		return nil, err
	}
	return &Answer[T]{Body: c.seen(scope, t)}, nil
}

func (c collection[F, T, Q]) seen(scope catalog.Scope, t T) T {
	if c.view == nil {
		return t
	}
	return c.view(scope, t)
}

func refuseSealed(patch []byte, sealed []string) error {
	if len(sealed) == 0 {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(patch, &fields); err != nil {
		return fmt.Errorf("read the fields of a patch that has the right shape: %w", err)
	}
	var c attribution.Checker
	for _, name := range sealed {
		_, written := fields[name]
		c.Require(!written, "body."+name, "may be set by an admin only")
	}
	return c.Err()
}

// inPage is a catalog's list as the client sees it.
func inPage[T any](list catalog.List[T], seen func(T) T) *listed[T] {
	items := make([]T, len(list.Items))
	for i, t := range list.Items {
		items[i] = seen(t)
	}
	return &listed[T]{Body: page[T]{Items: items, NextCursor: list.NextCursor}}
}

// article is a thing's name in a sentence: "an advertiser".
func article(one string) string {
	if strings.ContainsRune("aeiou", rune(one[0])) {
		return "an " + spaced(one)
	}
	return "a " + spaced(one)
}

func spaced(name string) string { return strings.ReplaceAll(name, "-", " ") }
