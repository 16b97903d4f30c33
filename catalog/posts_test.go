package catalog

import (
	"context"
	"strings"
	"testing"
	"time"

	"tributary/attribution"
)

// takePosts lets the world's campaign have posts.
func (w *world) takePosts(multi bool) {
	w.t.Helper()
	must(w.PatchCampaign(w.ctx, admin, w.campaign.ID, patchOf(`{"track_posts":true,"multi_post":%v}`, multi)))(w.t)
}

func testPosts(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	w.takePosts(true)
	var told []string
	tries := 0
	w.Catalog.postChanged = func(_ context.Context, scope Scope, id string) error {
		if tries++; !w.db.Shared() || tries%2 == 0 { // the first try is undone
			told = append(told, scope.Role+" "+id)
		}
		return nil
	}
	post := must(w.CreatePost(w.ctx, w.asCreator(), w.task.ID, PostFields{URL: " https://video.example/1 "}))(t)
	equal(t, "status", post.Status, PostJoined)
	equal(t, "posted at", *post.PostedAt, w.clock.at())
	equal(t, "url", post.URL, "https://video.example/1")
	equal(t, "stored", asJSON(t, must(w.Post(w.ctx, w.asCreator(), post.ID))(t)), asJSON(t, post))
	equal(t, "found", must(w.Posts(w.ctx, w.asAdvertiser(), PostFilter{TaskID: w.task.ID, Status: PostJoined}, Page{}))(t).Items[0].ID, post.ID)

	_, err := w.CreatePost(w.ctx, w.asCreator(), w.task.ID, PostFields{URL: "https://video.example/2", Status: PostApproved})
	refused(t, err, attribution.CodeForbidden)
	_, err = w.PatchPost(w.ctx, w.asCreator(), post.ID, patchOf(`{"status":"effective"}`))
	refused(t, err, attribution.CodeForbidden)
	_, err = w.PatchPost(w.ctx, w.asAdvertiser(), post.ID, patchOf(`{"status":"warning","url":""}`))
	failed(t, err, "body.url", "body.warning_reason")
	_, err = w.CreatePost(w.ctx, w.asAdvertiser(), w.task.ID, PostFields{URL: "ftp://x", Status: "good", PostedAt: new(w.clock.at() + 3_600_000), Warning: strings.Repeat("x", 20_001)})
	failed(t, err, "body.url", "body.status", "body.posted_at")
	stranger := newWorld(t, w.db)
	_, err = w.Post(w.ctx, stranger.asAdvertiser(), post.ID)
	refused(t, err, attribution.CodeNotFound)
	_, err = w.CreatePost(w.ctx, stranger.asCreator(), w.task.ID, PostFields{URL: "https://video.example/2"})
	refused(t, err, attribution.CodeNotFound)

	warned := must(w.PatchPost(w.ctx, w.asAdvertiser(), post.ID, patchOf(`{"status":"warning","warning_reason":"no hashtag"}`)))(t)
	equal(t, "warning", warned.Warning, "no hashtag")
	refused(t, w.ArchivePost(w.ctx, w.asAdvertiser(), post.ID), attribution.CodeConflict)
	w.clock.advance(time.Hour)
	approved := must(w.PatchPost(w.ctx, w.asAdvertiser(), post.ID, patchOf(`{"status":"approved"}`)))(t)
	equal(t, "warning of an approved post", approved.Warning, "")
	equal(t, "approved at", *approved.ApprovedAt, w.clock.at())
	equal(t, "stored approval", asJSON(t, must(w.Post(w.ctx, admin, post.ID))(t)), asJSON(t, approved))
	_, err = w.PatchPost(w.ctx, admin, post.ID, patchOf(`{"status":"ineffective"}`))
	refused(t, err, attribution.CodeConflict)
	ok(t, w.ArchivePost(w.ctx, admin, post.ID))
	equal(t, "posts left", len(must(w.Posts(w.ctx, admin, PostFilter{TaskID: w.task.ID}, Page{}))(t).Items), 0)
	equal(t, "told", strings.Join(told, ","), RoleCreator+" "+post.ID+","+RoleAdvertiser+" "+post.ID+","+RoleAdvertiser+" "+post.ID+","+RoleAdmin+" "+post.ID)
}

func testPostMetrics(t *testing.T, open factory) {
	w := newWorld(t, open(t))
	w.takePosts(false)
	post := must(w.CreatePost(w.ctx, admin, w.task.ID, PostFields{URL: "https://video.example/1"}))(t)
	start := w.clock.at()
	_, err := w.AddPostMetrics(w.ctx, w.asCreator(), post.ID, PostReading{Likes: new(int64(5))})
	refused(t, err, attribution.CodeForbidden)
	_, err = w.AddPostMetrics(w.ctx, admin, post.ID, PostReading{At: new(start + 3_600_000), Views: new(int64(-1))})
	failed(t, err, "body.at", "body.views")
	_, err = w.AddPostMetrics(w.ctx, admin, post.ID, PostReading{})
	failed(t, err, "body")

	must(w.AddPostMetrics(w.ctx, admin, post.ID, PostReading{Views: new(int64(100)), Followers: new(int64(9))}))(t)
	w.clock.advance(time.Hour)
	now := must(w.AddPostMetrics(w.ctx, w.asAdvertiser(), post.ID, PostReading{Likes: new(int64(7))}))(t)
	equal(t, "what was left out stays", *now.Metrics, PostSnapshot{At: w.clock.at(), Views: 100, Likes: 7, Followers: 9})
	late := must(w.AddPostMetrics(w.ctx, admin, post.ID, PostReading{At: new(start), Views: new(int64(50))}))(t)
	equal(t, "the latest stands", *late.Metrics, *now.Metrics)

	first := must(w.PostMetrics(w.ctx, w.asCreator(), post.ID, Page{Limit: 1}))(t)
	second := must(w.PostMetrics(w.ctx, w.asCreator(), post.ID, Page{Limit: 1, Cursor: first.NextCursor}))(t)
	equal(t, "newest first", first.Items[0], *now.Metrics)
	equal(t, "the same time again replaces", second.Items[0], PostSnapshot{At: start, Views: 50, Followers: 9})
	equal(t, "pages", second.NextCursor, "")
}
