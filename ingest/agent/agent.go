package agent

import (
	"strings"

	"github.com/mileusna/useragent"
)

// The devices an Agent can be.
const (
	Phone   = "phone"
	Tablet  = "tablet"
	Desktop = "desktop"
	TV      = "tv"
	Bot     = "bot" // says itself that it is no person
	Other   = "other"
)

// An Agent is what a user agent string says. Fields are never untrusted text:
// names are of closed lists, versions are digits and dots.
type Agent struct {
	Device         string // Phone, Tablet, Desktop, TV, Bot or Other
	OS             string // Android, iOS, Windows, macOS, Linux, ChromeOS or other
	OSVersion      string // empty when unknown
	Browser        string // "Chrome", "Instagram", …; other when not known
	BrowserVersion string // the app's version for an in-app browser
	InApp          bool   // a browser built into an app
	Platform       string // social platform of the app, empty unless InApp
}

// maxUserAgentBytes is how much of a user agent string is read. Real ones are
// shorter than half of it.
const maxUserAgentBytes = 1024

// Describe reads a user agent string.
func Describe(userAgent string) Agent {
	if len(userAgent) > maxUserAgentBytes {
		userAgent = userAgent[:maxUserAgentBytes]
	}
	base := useragent.Parse(userAgent)
	a := Agent{OS: osName(base.OS, userAgent)}
	a.OSVersion = osVersion(a.OS, base.OSVersion, userAgent)
	if app := findApp(userAgent); app != nil {
		a.InApp = true
		a.Browser = app.name
		a.BrowserVersion = version(versionAfter(userAgent, app.versionAfter))
		a.Platform = app.platform
	} else {
		a.Browser, a.BrowserVersion = browser(&base, userAgent)
	}
	a.Device = device(&a, &base, userAgent)
	return a
}

// osName maps the parser's name to the closed list.
func osName(name, userAgent string) string {
	switch {
	case strings.Contains(userAgent, "Tizen"), strings.Contains(userAgent, "Web0S"), strings.Contains(userAgent, "KAIOS"):
		return Other // they say Linux or Android, but run neither's programs
	case strings.Contains(userAgent, "OpenHarmony"):
		return Other
	}
	switch name {
	case useragent.Android, useragent.IOS, useragent.Windows, useragent.MacOS, useragent.Linux, useragent.ChromeOS:
		return name
	}
	// Apps on iOS often send their own format: "Snapchat/12.1 (iPhone13,2; iOS 16.4; …)".
	switch {
	case containsAny(userAgent, "iPhone", "iPad", "iPod", "; iOS ", "(iOS "):
		return useragent.IOS
	case strings.Contains(userAgent, "Android"):
		return useragent.Android
	}
	return Other
}

// osVersion is the version the parser found, or one it does not look for.
func osVersion(name, parsed, userAgent string) string {
	if v := version(parsed); v != "" && name != Other {
		return v
	}
	switch name {
	case useragent.Android:
		return version(versionAfter(userAgent, []string{"Android "}))
	case useragent.IOS:
		text := versionAfter(userAgent, []string{"iPhone OS ", "CPU OS ", "iOS ", "iPadOS "})
		return version(strings.ReplaceAll(text, "_", "."))
	case useragent.ChromeOS:
		_, text, _ := strings.Cut(userAgent, "CrOS ")
		_, text, _ = strings.Cut(text, " ") // past the processor
		return version(text)
	}
	return ""
}

// version keeps what can be a version number and cuts it at a sane length.
func version(s string) string {
	const maxVersionBytes = 24
	end := 0
	for end < len(s) && end < maxVersionBytes && (s[end] == '.' || s[end] >= '0' && s[end] <= '9') {
		end++
	}
	return strings.Trim(s[:end], ".")
}

// versionAfter is the text behind the first of the marks that is there, past
// the separators that apps put before a version.
func versionAfter(userAgent string, marks []string) string {
	for _, mark := range marks {
		if _, rest, found := strings.Cut(userAgent, mark); found {
			return strings.TrimLeft(rest, " /]v_")
		}
	}
	return ""
}

func containsAny(s string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}
