package verdict

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tributary/attribution"
)

// Our own lists, small ones. A line is an entry; lists/*.txt say what of.
var (
	//go:embed lists/previewers.txt
	previewers string
	//go:embed lists/tools.txt
	tools string
	//go:embed lists/crawlers.txt
	ownCrawlers string
	//go:embed lists/people.txt
	people string
	//go:embed lists/hosting.txt
	hostingNetworks string
)

// crawlerEntry is an entry of crawler-user-agents.json.
type crawlerEntry struct {
	Pattern   string   `json:"pattern"`
	Instances []string `json:"instances"`
	Tags      []string `json:"tags"`
}

// readCrawlers reads the crawler list, without what is in lists/people.txt.
func readCrawlers(list []byte) ([]pattern, error) {
	if len(list) > maxCrawlersBytes {
		return nil, fmt.Errorf("has %d bytes, more than %d", len(list), maxCrawlersBytes)
	}
	var crawlers []crawlerEntry
	if err := json.Unmarshal(list, &crawlers); err != nil {
		return nil, fmt.Errorf("is not in the format of crawler-user-agents.json: %w", err)
	}
	if len(crawlers) == 0 {
		return nil, errors.New("names no crawler: the list must be an array of objects with a pattern")
	}
	unused := entries(people)
	patterns := make([]pattern, 0, len(crawlers))
	for i, entry := range crawlers {
		if entry.Pattern == "" {
			return nil, fmt.Errorf("entry %d has no pattern", i)
		}
		if !slices.Contains(unused, entry.Pattern) {
			patterns = append(patterns, pattern{entry.Pattern, entry.shows()})
		}
	}
	return patterns, nil
}

// saysWhatItIs finds the word by which a robot's name admits what it is.
var saysWhatItIs = regexp.MustCompile(`(?i)bot|crawl|spider|scan|scrap|preview|fetch|index|monitor|uptime|headless|synthetic|check|archiv|agent|inspect|lighthouse|google-`)

// shows says what an entry's name means where. Inside a browser's user agent
// that declares nothing, a name counts only if it says what it is or the list
// has an instance of just that; an entry without instances is taken at its word.
func (e *crawlerEntry) shows() signs {
	anywhere := len(e.Instances) == 0 || saysWhatItIs.MatchString(e.Pattern)
	for _, instance := range e.Instances {
		anywhere = anywhere || containsAny(instance, engineMarks) && !containsAny(instance, declaredMarks)
	}
	if anywhere {
		return signs(e.reason())
	}
	return signs(e.reason()) << signOutsideOnly
}

func containsAny(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// reason is the kind of robot an entry's tags make it. What also trains models
// is a crawler, whatever else it does.
func (e *crawlerEntry) reason() attribution.Reasons {
	reason := attribution.ReasonCrawler
	for _, tag := range e.Tags {
		switch tag {
		case "ai-crawler":
			return attribution.ReasonCrawler
		case "social-preview":
			reason = attribution.ReasonPreview
		case "http-library", "browser-automation":
			reason = attribution.ReasonTool
		}
	}
	return reason
}

// entries reads one of our own lists: an entry a line, blank lines and lines
// that begin with # aside.
func entries(list string) []string {
	var found []string
	for line := range strings.Lines(list) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && line[0] != '#' {
			found = append(found, line)
		}
	}
	return found
}
