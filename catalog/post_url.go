package catalog

import (
	"net/url"
	"slices"
	"strings"
)

// platformHosts are where posts of a platform are, subdomains included. A
// platform that is not among them has posts anywhere.
var platformHosts = map[string][]string{
	"instagram": {"instagram.com", "instagr.am"},
	"tiktok":    {"tiktok.com"},
	"youtube":   {"youtube.com", "youtu.be"},
	"x":         {"x.com", "twitter.com"},
	"facebook":  {"facebook.com", "fb.com", "fb.watch"},
	"threads":   {"threads.net", "threads.com"},
	"twitch":    {"twitch.tv"},
	"snapchat":  {"snapchat.com"},
	"linkedin":  {"linkedin.com", "lnkd.in"},
	"reddit":    {"reddit.com", "redd.it"},
	"douyin":    {"douyin.com", "iesdouyin.com"},
	"xhs":       {"xiaohongshu.com", "xhslink.com"},
}

// urlRemark says what looks wrong with a post's address, empty when nothing does.
// It is for people to judge: platforms take new hosts.
func urlRemark(platform, address string) string {
	hosts := platformHosts[platform]
	parsed, err := url.Parse(address)
	if hosts == nil || err != nil {
		return ""
	}
	host := strings.ToLower(parsed.Hostname())
	if slices.ContainsFunc(hosts, func(own string) bool { return host == own || strings.HasSuffix(host, "."+own) }) {
		return ""
	}
	return "posts on " + platform + " are at " + strings.Join(hosts, " or ") + ", this address is at " + host
}
