package admin

import (
	"context"
	"net/http"

	"tributary/catalog"
)

type (
	postQuery struct {
		PageQuery
		TaskID       string `query:"task_id"`
		CampaignID   string `query:"campaign_id"`
		CreatorID    string `query:"creator_id"`
		AdvertiserID string `query:"advertiser_id"`
		Platform     string `query:"platform"`
		Status       string `query:"status" enum:"joined,effective,warning,ineffective,approved"`
	}
	postInput struct {
		ByID
		JSON[catalog.PostFields]
	}
	readingInput struct {
		ByID
		JSON[catalog.PostReading]
	}
	snapshotQuery struct {
		ByID
		PageQuery
	}
)

func (a *API) posts() {
	everybody := []string{catalog.RoleAdmin, catalog.RoleAdvertiser, catalog.RoleCreator}
	judges := []string{catalog.RoleAdmin, catalog.RoleAdvertiser}
	collection[catalog.PostFields, catalog.Post, postQuery]{
		one: "post", many: "posts", tag: "Posts",
		mayList: everybody, mayRead: everybody, mayPatch: everybody, mayArchive: everybody,
		list: func(ctx context.Context, scope catalog.Scope, q *postQuery) (catalog.List[catalog.Post], error) {
			filter := catalog.PostFilter{TaskID: q.TaskID, CampaignID: q.CampaignID, CreatorID: q.CreatorID, AdvertiserID: q.AdvertiserID,
				Platform: q.Platform, Status: q.Status}
			return a.catalog.Posts(ctx, scope, filter, q.Page())
		},
		read:    a.catalog.Post,
		patch:   a.catalog.PatchPost,
		archive: a.catalog.ArchivePost,
	}.register(a)
	Register(a, Operation{
		ID: "create-post", Method: http.MethodPost, Path: "/v1/tasks/{id}/posts", Tag: "Posts",
		Summary: "Report a post made for a task", Roles: everybody, Status: http.StatusCreated,
	}, func(ctx context.Context, in *postInput) (*made[catalog.Post], error) {
		post, err := a.catalog.CreatePost(ctx, ScopeOf(ctx), in.ID, in.Value())
		if err != nil {
			return nil, err
		}
		return &made[catalog.Post]{Location: "/v1/posts/" + post.ID, Body: post}, nil
	})
	Register(a, Operation{
		ID: "create-post-metrics", Method: http.MethodPost, Path: "/v1/posts/{id}/metrics", Tag: "Posts", Summary: "Write what a post has achieved",
		Description: "What is left out is as it was before. Where the campaign has cost_per, the actions of the post grow with it.",
		Roles:       judges, Status: http.StatusCreated,
	}, func(ctx context.Context, in *readingInput) (*made[catalog.Post], error) {
		post, err := a.catalog.AddPostMetrics(ctx, ScopeOf(ctx), in.ID, in.Value())
		if err != nil {
			return nil, err
		}
		return &made[catalog.Post]{Location: "/v1/posts/" + post.ID, Body: post}, nil
	})
	Register(a, Operation{
		ID: "list-post-metrics", Method: http.MethodGet, Path: "/v1/posts/{id}/metrics", Tag: "Posts",
		Summary: "List what was seen of a post", Roles: everybody,
	}, func(ctx context.Context, in *snapshotQuery) (*listed[catalog.PostSnapshot], error) {
		list, err := a.catalog.PostMetrics(ctx, ScopeOf(ctx), in.ID, in.Page())
		if err != nil {
			return nil, err
		}
		return inPage(list, func(s catalog.PostSnapshot) catalog.PostSnapshot { return s }), nil
	})
}
