package agent

import "strings"

// An app is one whose built-in browser names it in its user agent string.
type app struct {
	name         string
	platform     string   // one of attribution.Platforms, "other" for a social app not among them, empty for none
	marks        []string // any of them tells the app
	without      []string // none of them may be there: they tell a crawler or another app
	versionAfter []string
}

// apps in the order they are tried: an app whose string also carries another's
// mark stands before that other (Threads says Instagram, TikTok's engine is
// also in Douyin and Toutiao, Messenger is Facebook's code).
var apps = [...]app{
	{name: "Threads", platform: "threads", marks: []string{"Barcelona "}, versionAfter: []string{"Barcelona "}},
	{name: "Instagram", platform: "instagram", marks: []string{"Instagram "}, versionAfter: []string{"Instagram "}},
	{name: "Messenger", platform: "facebook", marks: []string{"FBAN/Messenger", "FB_IAB/MESSENGER", "FB_IAB/Orca"}, versionAfter: []string{"FBAV/"}},
	{name: "Facebook", platform: "facebook", marks: []string{"FBAN/", "FB_IAB/", "FBAV/"}, versionAfter: []string{"FBAV/"}},
	{name: "Douyin", platform: "douyin", marks: []string{"aweme_", "aweme/", "Aweme/", "ugc.aweme"}, without: []string{"musical_ly", "trill_"}, versionAfter: []string{"aweme_", "aweme/", "Aweme/"}},
	{name: "TikTok", platform: "tiktok", marks: []string{"musical_ly", "trill_", "TikTok ", "TikTok/", "BytedanceWebview"}, without: []string{"NewsArticle", "TikTokSpider"}, versionAfter: []string{"app_version/", "TikTok ", "TikTok/", "musical_ly", "trill_"}},
	{name: "Toutiao", platform: "other", marks: []string{"NewsArticle/"}, versionAfter: []string{"NewsArticle/"}},
	{name: "X", platform: "x", marks: []string{"Twitter for ", "TwitterAndroid"}, versionAfter: []string{"Twitter for iPhone", "Twitter for iPad", "TwitterAndroid"}},
	{name: "Snapchat", platform: "snapchat", marks: []string{"Snapchat/", "Snapchat "}, versionAfter: []string{"Snapchat"}},
	{name: "Pinterest", platform: "pinterest", marks: []string{"[Pinterest/", "Pinterest for ", "Pinterest/iOS", "Pinterest/Android"}, versionAfter: []string{"Pinterest for Android", "Pinterest for iOS"}},
	{name: "LinkedIn", platform: "linkedin", marks: []string{"LinkedInApp"}, versionAfter: []string{"LinkedInApp"}},
	{name: "Reddit", platform: "reddit", marks: []string{"Reddit/", "RedditIOS", "com.reddit.frontpage"}, without: []string{"redditbot", "Redditbot"}, versionAfter: []string{"Reddit/Version ", "Reddit/", "RedditIOS/"}},
	{name: "YouTube", platform: "youtube", marks: []string{"com.google.ios.youtube", "com.google.android.youtube", "com.google.android.apps.youtube"}, versionAfter: []string{"youtube/"}},
	{name: "Twitch", platform: "twitch", marks: []string{"TwitchApp", "Twitch/", "tv.twitch"}, versionAfter: []string{"TwitchApp", "Twitch/", "tv.twitch.android.app"}},
	{name: "Xiaohongshu", platform: "xhs", marks: []string{"xhsdiscover", "XHSDiscover", "xiaohongshu", "XiaoHongShu", " discover/"}, versionAfter: []string{"discover/", "discover "}},
	{name: "LINE", platform: "line", marks: []string{" Line/", " LIFF"}, versionAfter: []string{" Line/"}},
	{name: "KakaoTalk", platform: "other", marks: []string{"KAKAOTALK", "KAKAOSTORY"}, versionAfter: []string{"KAKAOTALK"}},
	{name: "WeChat", platform: "other", marks: []string{"MicroMessenger"}, versionAfter: []string{"MicroMessenger"}},
	{name: "Weibo", platform: "other", marks: []string{"Weibo (", "__weibo__"}, versionAfter: []string{"__weibo__"}},
	{name: "QQ", platform: "other", marks: []string{" QQ/"}, versionAfter: []string{" QQ/"}},
	{name: "WhatsApp", platform: "other", marks: []string{" WhatsApp/"}, versionAfter: []string{" WhatsApp/"}},
	{name: "Telegram", platform: "other", marks: []string{"Telegram-Android/", " Telegram/"}, versionAfter: []string{"Telegram-Android/", " Telegram/"}},
	{name: "Discord", platform: "other", marks: []string{" Discord/", "Discord-Android/"}, versionAfter: []string{" Discord/"}},
	{name: "Zalo", platform: "other", marks: []string{" Zalo ", " Zalo/", "ZaloTheme"}, versionAfter: []string{" Zalo/", "Zalo android/", "Zalo iOS/"}},
	{name: "VK", platform: "other", marks: []string{"VKAndroidApp", "vkShare/", "VK_iOS"}, versionAfter: []string{"VKAndroidApp"}},
	{name: "NAVER", platform: "other", marks: []string{"NAVER("}, versionAfter: []string{"search; "}},
	{name: "Google", platform: "", marks: []string{" GSA/"}, versionAfter: []string{" GSA/"}},
}

// findApp is the app whose built-in browser this is, nil for none.
func findApp(userAgent string) *app {
	for i := range apps {
		candidate := &apps[i]
		if containsAny(userAgent, candidate.marks...) && !containsAny(userAgent, candidate.without...) {
			return candidate
		}
	}
	// Some apps begin with their name: no space is before it then.
	for _, leading := range [...]struct{ prefix, name string }{{"Line/", "LINE"}, {"discover/", "Xiaohongshu"}} {
		if strings.HasPrefix(userAgent, leading.prefix) {
			return appNamed(leading.name)
		}
	}
	return nil
}

func appNamed(name string) *app {
	for i := range apps {
		if apps[i].name == name {
			return &apps[i]
		}
	}
	return nil
}
