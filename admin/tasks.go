package admin

import (
	"context"

	"tributary/catalog"
)

type taskQuery struct {
	PageQuery
	CampaignID string `query:"campaign_id"`
	CreatorID  string `query:"creator_id"`
	Platform   string `query:"platform"`
	Status     string `query:"status" enum:"open,submitted,approved,rejected,cancelled"`
	Overdue    bool   `query:"overdue" doc:"true: only tasks that are open and whose due_at has passed"`
}

func (a *API) tasks() {
	everybody := []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator}
	payers := []string{catalog.RoleAdmin, catalog.RoleAdvertiser}
	collection[catalog.TaskFields, catalog.Task, taskQuery]{
		one: "task", many: "tasks", tag: "Tasks",
		mayCreate: payers, mayList: everybody, mayRead: everybody, mayPatch: everybody, mayArchive: payers,
		create: a.catalog.CreateTask,
		list: func(ctx context.Context, scope catalog.Scope, q *taskQuery) (catalog.List[catalog.Task], error) {
			filter := catalog.TaskFilter{CampaignID: q.CampaignID, CreatorID: q.CreatorID, Platform: q.Platform, Status: q.Status, Overdue: q.Overdue}
			return a.catalog.Tasks(ctx, scope, filter, q.Page())
		},
		read:    a.catalog.Task,
		patch:   a.catalog.PatchTask,
		archive: a.catalog.ArchiveTask,
		id:      func(t catalog.Task) string { return t.ID },
	}.register(a)
}
