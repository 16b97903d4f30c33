package admin

import (
	"context"

	"tributary/catalog"
)

func (a *API) termsTemplates() {
	writers := []string{catalog.RoleAdmin}
	readers := []string{catalog.RoleAdmin, catalog.RoleAdvertiser}
	collection[catalog.TermsTemplateFields, catalog.TermsTemplate, PageQuery]{
		one: "terms-template", many: "terms-templates", tag: "Terms templates",
		mayCreate: writers, mayList: readers, mayRead: readers, mayPatch: writers, mayArchive: writers,
		create: a.catalog.CreateTermsTemplate,
		list: func(ctx context.Context, scope catalog.Scope, q *PageQuery) (catalog.List[catalog.TermsTemplate], error) {
			return a.catalog.TermsTemplates(ctx, scope, catalog.TermsTemplateFilter{}, q.Page())
		},
		read:    a.catalog.TermsTemplate,
		patch:   a.catalog.PatchTermsTemplate,
		archive: a.catalog.ArchiveTermsTemplate,
		id:      func(t catalog.TermsTemplate) string { return t.ID },
	}.register(a)
}
