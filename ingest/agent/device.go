package agent

import (
	"strings"

	"github.com/mileusna/useragent"
)

// tvMarks are what televisions and their boxes and sticks call themselves.
var tvMarks = []string{
	"SmartTV", "SMART-TV", "Smart-TV", "Web0S", "NetCast", "HbbTV", "AppleTV", "Apple TV", "GoogleTV", "Google TV",
	"Android TV", "AndroidTV", "BRAVIA", "CrKey", "Roku", "Viera", "; AFT", "TV Safari",
}

// consoleMarks are game consoles, which are none of the other devices.
var consoleMarks = []string{"PlayStation", "Xbox", "Nintendo"}

// tabletMarks are model names of tablets that call themselves mobile.
var tabletMarks = []string{"iPad", "Tablet", "tablet", "PlayBook", "; SM-T", "; SM-X", "; KFA", "; KFD", "; KFF", "; KFG", "; KFJ", "; KFM", "; KFO", "; KFS", "; KFT", "; KFQ", "; KFR"}

// device tells the kind of device.
func device(a *Agent, base *useragent.UserAgent, userAgent string) string {
	if !a.InApp && isBot(base, userAgent) {
		return Bot
	}
	switch {
	case containsAny(userAgent, tvMarks...) || strings.Contains(userAgent, "Tizen") && strings.Contains(userAgent, "TV"):
		return TV
	case containsAny(userAgent, consoleMarks...):
		return Other
	case containsAny(userAgent, tabletMarks...) || base.Tablet:
		return Tablet
	case containsAny(userAgent, "iPhone", "iPod", "Windows Phone", "KAIOS", "BlackBerry", "Opera Mini"):
		return Phone
	}
	mobile := strings.Contains(userAgent, "Mobile")
	switch a.OS {
	case useragent.Android:
		// Chrome and Android's WebView leave Mobile out on tablets; apps that
		// send a format of their own never say it.
		if !mobile && !a.InApp && strings.Contains(userAgent, "AppleWebKit") {
			return Tablet
		}
		return Phone
	case useragent.IOS:
		return Phone
	case useragent.Windows, useragent.MacOS, useragent.Linux, useragent.ChromeOS:
		return Desktop
	}
	switch {
	case mobile, strings.Contains(userAgent, "OpenHarmony") && strings.Contains(userAgent, "Phone"):
		return Phone
	case strings.Contains(userAgent, "X11;"):
		return Desktop
	}
	return Other
}

// toolPrefixes begin the strings of programs that fetch pages.
var toolPrefixes = [...]string{
	"curl/", "wget/", "python-requests/", "python-urllib/", "go-http-client/", "okhttp/", "java/", "apache-httpclient/",
	"node-fetch", "axios/", "libwww-perl/", "php/", "ruby", "guzzlehttp/", "postmanruntime/", "aiohttp/", "httpx/", "headlesschrome/",
}

// botWords are what crawlers and previewers call themselves.
var botWords = [...]string{
	"bot/", "bot;", "bot)", "bot ", "bot,", "-bot", "crawler", "spider", "facebookexternalhit", "facebookcatalog",
	"slurp", "lighthouse", "headlesschrome", "phantomjs", "mediapartners-google", "google-inspectiontool", "bingpreview", "skypeuripreview",
}

// isBot reports whether the string says itself that no person is behind it.
// It describes; whether a hit counts is the tracker's verdict.
func isBot(base *useragent.UserAgent, userAgent string) bool {
	if base.Bot {
		return true
	}
	lower := strings.ReplaceAll(strings.ToLower(userAgent), "cubot", "") // a make of phones
	for _, prefix := range toolPrefixes {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	return containsAny(lower, botWords[:]...) || strings.HasSuffix(lower, "bot")
}
