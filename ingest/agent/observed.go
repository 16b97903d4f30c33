package agent

import "strings"

// hostPlatforms tells the social platform of a referrer's host: the host
// itself, without www and the like, or any domain above it. Android apps send
// their package name as the host of an android-app:// referrer.
var hostPlatforms = map[string]string{
	"instagram.com": "instagram", "ig.me": "instagram", "com.instagram.android": "instagram", "com.instagram.lite": "instagram",
	"tiktok.com": "tiktok", "tiktokv.com": "tiktok", "com.zhiliaoapp.musically": "tiktok", "com.ss.android.ugc.trill": "tiktok",
	"youtube.com": "youtube", "youtu.be": "youtube", "youtube-nocookie.com": "youtube", "com.google.android.youtube": "youtube",
	"x.com": "x", "twitter.com": "x", "t.co": "x", "com.twitter.android": "x",
	"facebook.com": "facebook", "fb.com": "facebook", "fb.me": "facebook", "fb.watch": "facebook", "messenger.com": "facebook", "m.me": "facebook",
	"com.facebook.katana": "facebook", "com.facebook.lite": "facebook", "com.facebook.orca": "facebook",
	"threads.net": "threads", "threads.com": "threads", "com.instagram.barcelona": "threads",
	"twitch.tv": "twitch", "tv.twitch.android.app": "twitch",
	"pin.it": "pinterest", "com.pinterest": "pinterest",
	"snapchat.com": "snapchat", "com.snapchat.android": "snapchat",
	"linkedin.com": "linkedin", "lnkd.in": "linkedin", "com.linkedin.android": "linkedin",
	"reddit.com": "reddit", "redd.it": "reddit", "com.reddit.frontpage": "reddit",
	"douyin.com": "douyin", "iesdouyin.com": "douyin", "com.ss.android.ugc.aweme": "douyin",
	"xiaohongshu.com": "xhs", "xhslink.com": "xhs", "com.xingin.xhs": "xhs",
	"line.me": "line", "lin.ee": "line", "jp.naver.line.android": "line",
	"blogspot.com": "blog", "wordpress.com": "blog", "medium.com": "blog", "substack.com": "blog", "tumblr.com": "blog",
	"note.com": "blog", "ameblo.jp": "blog", "hatenablog.com": "blog", "blog.naver.com": "blog", "tistory.com": "blog", "pixnet.net": "blog",
	"kakao.com": "other", "weibo.com": "other", "weibo.cn": "other", "t.cn": "other", "vk.com": "other", "discord.com": "other",
	"telegram.org": "other", "t.me": "other", "org.telegram.messenger": "other", "whatsapp.com": "other", "com.whatsapp": "other",
	"quora.com": "other", "bilibili.com": "other", "b23.tv": "other", "bsky.app": "other",
}

// ObservedPlatform tells the social platform a click came from: that of the app
// whose browser it is, else that of the referrer's host. It is empty when
// neither tells one; "other" is a social platform without a name of its own.
func ObservedPlatform(refererHost string, a Agent) string {
	if a.InApp && a.Platform != "" {
		return a.Platform
	}
	host := strings.TrimSuffix(strings.ToLower(refererHost), ".")
	if at := strings.LastIndexByte(host, ':'); at >= 0 {
		host = host[:at]
	}
	for rest := host; rest != ""; {
		if platform, known := hostPlatforms[rest]; known {
			return platform
		}
		_, above, found := strings.Cut(rest, ".")
		if !found {
			break
		}
		rest = above
	}
	if isPinterest(host) {
		return "pinterest"
	}
	return ""
}

// isPinterest knows Pinterest's hosts, which end in many countries' domains.
func isPinterest(host string) bool {
	host = strings.TrimPrefix(host, "www.")
	country, found := strings.CutPrefix(host, "pinterest.")
	if !found {
		_, country, found = strings.Cut(host, ".pinterest.")
	}
	return found && len(country) >= 2 && len(country) <= len("com.au")
}
