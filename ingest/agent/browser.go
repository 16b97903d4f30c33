package agent

import (
	"strings"

	"github.com/mileusna/useragent"
)

// browserMark tells a browser by a token that the parser does not know, or
// that it would take for Chrome or Safari.
type browserMark struct{ mark, name string }

// browserMarks in the order they are tried.
var browserMarks = [...]browserMark{
	{"DuckDuckGo/", "DuckDuckGo"}, {"Ddg/", "DuckDuckGo"},
	{"YaBrowser/", "Yandex"}, {"YaSearchBrowser/", "Yandex"},
	{"UCBrowser/", "UC Browser"}, {"UBrowser/", "UC Browser"},
	{"MQQBrowser/", "QQ Browser"}, {"QQBrowser/", "QQ Browser"},
	{"Whale/", "Whale"}, {"MiuiBrowser/", "Mi Browser"}, {"HuaweiBrowser/", "Huawei Browser"},
	{"VivoBrowser/", "vivo Browser"}, {"HeyTapBrowser/", "HeyTap Browser"},
	{"coc_coc_browser/", "Coc Coc"}, {"Brave/", "Brave"}, {"Silk/", "Silk"},
	{"Puffin/", "Puffin"}, {"Ecosia ", "Ecosia"}, {"AvastSecureBrowser/", "Avast"}, {"Avast/", "Avast"},
	{"Sleipnir/", "Sleipnir"}, {"PaleMoon/", "Pale Moon"}, {"Seamonkey/", "SeaMonkey"}, {"SeaMonkey/", "SeaMonkey"},
	{"Focus/", "Firefox"}, {"Klar/", "Firefox"}, {"OPX/", "Opera"}, {"OPT/", "Opera"},
}

// parserNames maps the parser's names to ours.
var parserNames = map[string]string{
	useragent.Chrome: "Chrome", useragent.HeadlessChrome: "Chrome",
	useragent.Safari: "Safari", useragent.MobileSafari: "Safari",
	useragent.Firefox: "Firefox", useragent.Edge: "Edge",
	useragent.Opera: "Opera", useragent.OperaTouch: "Opera", useragent.OperaMini: "Opera Mini",
	useragent.Vivaldi: "Vivaldi", useragent.SamsungBrowser: "Samsung Internet",
	useragent.InternetExplorer: "Internet Explorer", useragent.NetFront: "NetFront",
	useragent.BlackBerry: "BlackBerry", "Android browser": "Android Browser",
	"Miui Browser": "Mi Browser", "Huawei Browser": "Huawei Browser", "Chromium": "Chrome",
}

// browser names the browser of a string that is no app's.
func browser(base *useragent.UserAgent, userAgent string) (name, number string) {
	for _, m := range browserMarks {
		if _, rest, found := strings.Cut(userAgent, m.mark); found {
			return m.name, version(rest)
		}
	}
	if _, rest, found := strings.Cut(userAgent, "Trident/7.0; "); found && strings.Contains(rest, "rv:11") {
		return "Internet Explorer", "11.0"
	}
	if name, known := parserNames[base.Name]; known {
		// An app that shows pages in Android's WebView without naming itself.
		if name == "Chrome" && strings.Contains(userAgent, "; wv)") {
			return "Android WebView", version(base.Version)
		}
		return name, version(base.Version)
	}
	// The parser takes an unknown product token for the browser. Chromium's
	// relatives still are one.
	switch {
	case strings.Contains(userAgent, " Chrome/"):
		return "Chrome", version(versionAfter(userAgent, []string{" Chrome/"}))
	case containsAny(userAgent, "iPhone", "iPad", "Macintosh") && strings.Contains(userAgent, "AppleWebKit/"):
		if strings.Contains(userAgent, "Safari/") {
			return "Safari", version(versionAfter(userAgent, []string{"Version/"}))
		}
		return "WebKit", "" // an app that shows pages in WKWebView without naming itself
	}
	return Other, ""
}
