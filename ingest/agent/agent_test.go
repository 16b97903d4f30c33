package agent

import "testing"

const (
	iPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	iPad    = "Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	galaxy  = "Mozilla/5.0 (Linux; Android 13; SM-S908E Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/122.0.6261.119 Mobile Safari/537.36 "
	android = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 "
	windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"
	mac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15"
)

func TestDescribe(t *testing.T) {
	type want struct {
		device, os, osVersion, browser, version string
		inApp                                   bool
		platform                                string
	}
	inApp := func(device, os, osVersion, browser, version, platform string) want {
		return want{device, os, osVersion, browser, version, true, platform}
	}
	plain := func(device, os, osVersion, browser, version string) want {
		return want{device, os, osVersion, browser, version, false, ""}
	}
	for _, c := range []struct {
		ua   string
		want want
	}{
		// In-app browsers of the platforms a task can be for.
		{iPhone + "Mobile/15E148 Instagram 323.0.4.30.83 (iPhone14,5; iOS 17_4_1; en_US; en; scale=3.00; 1170x2532; 584290421)", inApp(Phone, "iOS", "17.4.1", "Instagram", "323.0.4.30.83", "instagram")},
		{galaxy + "Instagram 321.0.0.39.106 Android (33/13; 420dpi; 1080x2115; samsung; SM-S908E; b0q; qcom; th_TH; 566055180)", inApp(Phone, "Android", "13", "Instagram", "321.0.0.39.106", "instagram")},
		{iPad + "Mobile/15E148 Instagram 323.0.4.30.83 (iPad13,1; iPadOS 17_4; en_US; en; scale=2.00; 1640x2360; 584290421)", inApp(Tablet, "iOS", "17.4", "Instagram", "323.0.4.30.83", "instagram")},
		{iPhone + "Mobile/15E148 Barcelona 322.0.0.25.89 (iPhone15,3; iOS 17_4_1; en_US; en; scale=3.00; 1290x2796; 577899181)", inApp(Phone, "iOS", "17.4.1", "Threads", "322.0.0.25.89", "threads")},
		{galaxy + "Barcelona 320.0.0.30.109 Android (33/13; 420dpi; 1080x2115; samsung; SM-S908E; b0q; qcom; en_US; 570000000)", inApp(Phone, "Android", "13", "Threads", "320.0.0.30.109", "threads")},
		{iPhone + "Mobile/15E148 [FBAN/FBIOS;FBAV/456.0.0.41.107;FBBV/580064432;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.4.1;FBSS/3;FBID/phone;FBLC/en_US;FBOP/5]", inApp(Phone, "iOS", "17.4.1", "Facebook", "456.0.0.41.107", "facebook")},
		{galaxy + "[FB_IAB/FB4A;FBAV/455.0.0.44.88;]", inApp(Phone, "Android", "13", "Facebook", "455.0.0.44.88", "facebook")},
		{galaxy + "[FBAN/EMA;FBLC/th_TH;FBAV/395.0.0.6.101;]", inApp(Phone, "Android", "13", "Facebook", "395.0.0.6.101", "facebook")},
		{iPhone + "Mobile/15E148 [FBAN/MessengerForiOS;FBAV/450.0.0.39.109;FBBV/577000000;FBDV/iPhone14,5]", inApp(Phone, "iOS", "17.4.1", "Messenger", "450.0.0.39.109", "facebook")},
		{galaxy + "[FB_IAB/Orca-Android;FBAV/447.0.0.31.107;]", inApp(Phone, "Android", "13", "Messenger", "447.0.0.31.107", "facebook")},
		{iPhone + "Mobile/21E236 musical_ly_33.6.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/en Region/US isDarkMode/0 WKWebView/1 RevealType/Dialog BytedanceWebview/d8a21c6", inApp(Phone, "iOS", "17.4.1", "TikTok", "33.6.0", "tiktok")},
		{galaxy + "trill_330603 JsSdk/1.0 NetType/WIFI Channel/googleplay AppName/trill app_version/33.6.3 ByteLocale/th ByteFullLocale/th Region/TH BytedanceWebview/d8a21c6", inApp(Phone, "Android", "13", "TikTok", "33.6.3", "tiktok")},
		{galaxy + "musical_ly_2023306030 JsSdk/1.0 NetType/MOBILE Channel/googleplay AppName/musical_ly app_version/33.6.3 ByteLocale/en ByteFullLocale/en Region/US AppSkin/white AppTheme/light BytedanceWebview/d8a21c6", inApp(Phone, "Android", "13", "TikTok", "33.6.3", "tiktok")},
		{iPhone + "Mobile/15E148 TikTok 26.2.0 rv:262018 (iPhone; iOS 17.4.1; en_US) Cronet", inApp(Phone, "iOS", "17.4.1", "TikTok", "26.2.0", "tiktok")},
		{iPhone + "Mobile/15E148 aweme_28.7.0 Region/CN AppTheme/light NetType/WIFI JsSdk/2.0 Channel/App Store ByteLocale/zh BytedanceWebview/d8a21c6", inApp(Phone, "iOS", "17.4.1", "Douyin", "28.7.0", "douyin")},
		{galaxy + "aweme_280700 JsSdk/1.0 NetType/WIFI AppName/aweme app_version/28.7.0 ByteLocale/zh-CN Region/CN BytedanceWebview/d8a21c6", inApp(Phone, "Android", "13", "Douyin", "280700", "douyin")},
		{iPhone + "Mobile/21E236 Twitter for iPhone/10.35", inApp(Phone, "iOS", "17.4.1", "X", "10.35", "x")},
		{galaxy + "TwitterAndroid", inApp(Phone, "Android", "13", "X", "", "x")},
		{iPhone + "Version/17.4.1 Mobile/15E148 Safari/604.1 Line/14.5.1", inApp(Phone, "iOS", "17.4.1", "LINE", "14.5.1", "line")},
		{galaxy + "Line/14.4.2/IAB", inApp(Phone, "Android", "13", "LINE", "14.4.2", "line")},
		{iPhone + "Mobile/15E148 Snapchat/12.80.0.42 (like Safari/8617.1.17.10.9, panda)", inApp(Phone, "iOS", "17.4.1", "Snapchat", "12.80.0.42", "snapchat")},
		{galaxy + "Snapchat/12.81.0.44 (SM-S908E; Android 13#S908EXXU5CWF1#33; gzip; )", inApp(Phone, "Android", "13", "Snapchat", "12.81.0.44", "snapchat")},
		{iPhone + "Mobile/15E148 [Pinterest/iOS]", inApp(Phone, "iOS", "17.4.1", "Pinterest", "", "pinterest")},
		{galaxy + "[Pinterest/Android]", inApp(Phone, "Android", "13", "Pinterest", "", "pinterest")},
		{iPhone + "Mobile/15E148 [LinkedInApp]/9.29.4562", inApp(Phone, "iOS", "17.4.1", "LinkedIn", "9.29.4562", "linkedin")},
		{galaxy + "[LinkedInApp]/4.1.918", inApp(Phone, "Android", "13", "LinkedIn", "4.1.918", "linkedin")},
		{iPhone + "Mobile/15E148 Reddit/2024.12.0", inApp(Phone, "iOS", "17.4.1", "Reddit", "2024.12.0", "reddit")},
		{"Reddit/Version 2024.12.0/Build 1507045/Android 13", inApp(Phone, "Android", "13", "Reddit", "2024.12.0", "reddit")},
		{"com.google.ios.youtube/19.12.3 (iPhone14,5; U; CPU iOS 17_4_1 like Mac OS X; en_US)", inApp(Phone, "iOS", "17.4.1", "YouTube", "19.12.3", "youtube")},
		{iPhone + "Mobile/15E148 TwitchApp/19.0", inApp(Phone, "iOS", "17.4.1", "Twitch", "19.0", "twitch")},
		{iPhone + "Mobile/15E148 xiaohongshu discover/8.29 NetType/WiFi", inApp(Phone, "iOS", "17.4.1", "Xiaohongshu", "8.29", "xhs")},
		{galaxy + "xhsdiscover/8.30.0", inApp(Phone, "Android", "13", "Xiaohongshu", "8.30.0", "xhs")},
		// Other apps.
		{galaxy + "KAKAOTALK 10.7.1", inApp(Phone, "Android", "13", "KakaoTalk", "10.7.1", "other")},
		{iPhone + "Mobile/15E148 MicroMessenger/8.0.48(0x18003030) NetType/WIFI Language/zh_CN", inApp(Phone, "iOS", "17.4.1", "WeChat", "8.0.48", "other")},
		{iPhone + "GSA/312.0.621543218 Mobile/15E148 Safari/604.1", inApp(Phone, "iOS", "17.4.1", "Google", "312.0.621543218", "")},
		{galaxy, plain(Phone, "Android", "13", "Android WebView", "122.0.6261.119")},
		{iPhone + "Mobile/15E148", plain(Phone, "iOS", "17.4.1", "WebKit", "")},
		// Browsers.
		{iPhone + "Version/17.4.1 Mobile/15E148 Safari/604.1", plain(Phone, "iOS", "17.4.1", "Safari", "17.4.1")},
		{iPad + "Version/17.4 Mobile/15E148 Safari/604.1", plain(Tablet, "iOS", "17.4", "Safari", "17.4")},
		{iPhone + "CriOS/124.0.6367.71 Mobile/15E148 Safari/604.1", plain(Phone, "iOS", "17.4.1", "Chrome", "124.0.6367.71")},
		{iPhone + "FxiOS/125.0 Mobile/15E148 Safari/605.1.15", plain(Phone, "iOS", "17.4.1", "Firefox", "125.0")},
		{iPhone + "Version/17.0 EdgiOS/124.0.2478.50 Mobile/15E148 Safari/605.1.15", plain(Phone, "iOS", "17.4.1", "Edge", "124.0.2478.50")},
		{android + "Mobile Safari/537.36", plain(Phone, "Android", "10", "Chrome", "124.0.0.0")},
		{android + "Safari/537.36", plain(Tablet, "Android", "10", "Chrome", "124.0.0.0")},
		{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/24.0 Chrome/117.0.0.0 Mobile Safari/537.36", plain(Phone, "Android", "10", "Samsung Internet", "24.0")},
		{"Mozilla/5.0 (Android 14; Mobile; rv:125.0) Gecko/125.0 Firefox/125.0", plain(Phone, "Android", "14", "Firefox", "125.0")},
		{android + "Mobile Safari/537.36 EdgA/123.0.0.0", plain(Phone, "Android", "10", "Edge", "123.0.0.0")},
		{android + "Mobile Safari/537.36 OPR/81.0.0.0", plain(Phone, "Android", "10", "Opera", "81.0.0.0")},
		{"Mozilla/5.0 (Linux; Android 11; CUBOT NOTE 20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36", plain(Phone, "Android", "11", "Chrome", "120.0.0.0")},
		{windows, plain(Desktop, "Windows", "10.0", "Chrome", "124.0.0.0")},
		{windows + " Edg/124.0.0.0", plain(Desktop, "Windows", "10.0", "Edge", "124.0.0.0")},
		{windows + " OPR/109.0.0.0", plain(Desktop, "Windows", "10.0", "Opera", "109.0.0.0")},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0", plain(Desktop, "Windows", "10.0", "Firefox", "125.0")},
		{"Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", plain(Desktop, "Windows", "10.0", "Internet Explorer", "11.0")},
		{mac, plain(Desktop, "macOS", "10.15.7", "Safari", "17.4")},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36", plain(Desktop, "Linux", "", "Chrome", "124.0.0.0")},
		{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/123.0.0.0 Safari/537.36", plain(Desktop, "ChromeOS", "14541.0.0", "Chrome", "123.0.0.0")},
		{"Mozilla/5.0 (SMART-TV; LINUX; Tizen 7.0) AppleWebKit/537.36 (KHTML, like Gecko) 94.0.4606.31/7.0 TV Safari/537.36", plain(TV, "other", "", "other", "")},
		{"Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/94.0.4606.128 Safari/537.36 WebAppManager", plain(TV, "other", "", "Chrome", "94.0.4606.128")},
		{"Mozilla/5.0 (Linux; Android 9; AFTMM) AppleWebKit/537.36 (KHTML, like Gecko) Silk/120.4.1 like Chrome/120.0.0.0 Safari/537.36", plain(TV, "Android", "9", "Silk", "120.4.1")},
		// Not people.
		{"Twitterbot/1.0", plain(Bot, "other", "", "other", "")},
		{"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", plain(Bot, "other", "", "other", "")},
		{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", plain(Bot, "other", "", "other", "")},
		{"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", plain(Bot, "Android", "6.0.1", "Chrome", "124.0.0.0")},
		{"LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)", plain(Bot, "other", "", "other", "")},
		{"Pinterest/0.2 (+https://www.pinterest.com/bot.html)", plain(Bot, "other", "", "other", "")},
		{"Mozilla/5.0 (compatible; Pinterestbot/1.0; +https://www.pinterest.com/bot.html)", plain(Bot, "other", "", "other", "")},
		{"curl/8.5.0", plain(Bot, "other", "", "other", "")},
		{"python-requests/2.31.0", plain(Bot, "other", "", "other", "")},
		{"Go-http-client/2.0", plain(Bot, "other", "", "other", "")},
		{"", plain(Other, "other", "", "other", "")},
	} {
		a := Describe(c.ua)
		got := want{a.Device, a.OS, a.OSVersion, a.Browser, a.BrowserVersion, a.InApp, a.Platform}
		if got != c.want {
			t.Errorf("%s\n got  %+v\n want %+v", c.ua, got, c.want)
		}
	}
}

func TestObservedPlatform(t *testing.T) {
	none := Agent{}
	for _, c := range []struct {
		host  string
		agent Agent
		want  string
	}{
		{"l.instagram.com", none, "instagram"},
		{"lm.facebook.com", none, "facebook"},
		{"m.facebook.com", none, "facebook"},
		{"t.co", none, "x"},
		{"youtu.be", none, "youtube"},
		{"m.youtube.com", none, "youtube"},
		{"out.reddit.com", none, "reddit"},
		{"vm.tiktok.com", none, "tiktok"},
		{"www.pinterest.co.uk", none, "pinterest"},
		{"br.pinterest.com", none, "pinterest"},
		{"lnkd.in", none, "linkedin"},
		{"L.Threads.net", none, "threads"},
		{"www.douyin.com", none, "douyin"},
		{"xhslink.com", none, "xhs"},
		{"liff.line.me", none, "line"},
		{"com.twitter.android", none, "x"},
		{"someone.blogspot.com", none, "blog"},
		{"t.me", none, "other"},
		{"www.twitch.tv:443", none, "twitch"},
		{"www.google.com", none, ""},
		{"notinstagram.com", none, ""},
		{"instagram.com.example.net", none, ""},
		{"mypinterest.com", none, ""},
		{"com", none, ""},
		{"", none, ""},
		{"l.facebook.com", Agent{InApp: true, Platform: "instagram"}, "instagram"},
		{"t.co", Agent{InApp: true}, "x"},
	} {
		if got := ObservedPlatform(c.host, c.agent); got != c.want {
			t.Errorf("referrer %q, app %q: observed %q, want %q", c.host, c.agent.Platform, got, c.want)
		}
	}
}
