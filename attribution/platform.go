package attribution

import "slices"

// platforms are the social platforms a task can be for, in the order the
// dashboard shows them.
var platforms = []string{
	"instagram", "tiktok", "youtube", "x", "facebook", "threads", "twitch", "pinterest",
	"snapchat", "linkedin", "reddit", "douyin", "xhs", "line", "blog", "other",
}

// Platforms returns every platform a task can be for.
func Platforms() []string { return slices.Clone(platforms) }
