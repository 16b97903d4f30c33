package dashboard

import "tributary/catalog"

// A campaignPostsView is what creators show before they post, and what they posted.
type campaignPostsView struct {
	campaignHead
	Drafts    []catalog.Draft // that wait
	Posts     []catalog.Post
	Next      string
	Directory *directory
}

func showCampaignPosts(v *visit) (any, error) {
	head, err := v.campaign()
	if err != nil {
		return nil, err
	}
	view := &campaignPostsView{campaignHead: head, Directory: v.directory()}
	drafts, err := v.Catalog.Drafts(v.Context(), v.Session.Scope, catalog.DraftFilter{CampaignID: head.Campaign.ID, Status: catalog.DraftWaiting}, catalog.Page{Limit: listLength})
	if err != nil {
		return nil, err
	}
	posts, err := v.Catalog.Posts(v.Context(), v.Session.Scope, catalog.PostFilter{CampaignID: head.Campaign.ID, Status: v.Query("status")}, v.listPage())
	if err != nil {
		return nil, err
	}
	view.Drafts, view.Posts, view.Next = drafts.Items, posts.Items, posts.NextCursor
	return view, nil
}

// Statuses are those of posts.
func (campaignPostsView) Statuses() []string {
	return []string{catalog.PostJoined, catalog.PostEffective, catalog.PostWarning, catalog.PostIneffective, catalog.PostApproved}
}
