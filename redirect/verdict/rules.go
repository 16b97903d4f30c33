package verdict

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"tributary/attribution"
)

// assets holds the crawler list if `make build` has put it there; it is a third
// party's and not committed.
//
//go:embed assets
var assets embed.FS

const (
	embeddedCrawlers = "assets/crawler-user-agents.json"
	maxCrawlersBytes = 8 << 20
)

// MaxUserAgentBytes is how much of a user agent is looked at. Keep as much with a
// click, so that judging it again sees what was seen; real ones hardly ever have
// more.
const MaxUserAgentBytes = 512

// Rules are the compiled lists a verdict follows from. They are immutable; to
// reload, load new ones.
type Rules struct {
	version     uint32
	automaton   *automaton
	expressions []*expression
	hosting     []uint32 // sorted
	memory      *memory
}

// Load compiles our own lists and the crawler list in a file of the format of
// crawler-user-agents.json, or the one embedded at build time when the file's
// name is empty.
func Load(crawlersFile string) (*Rules, error) {
	if crawlersFile == "" {
		return loadEmbedded(assets)
	}
	crawlers, err := os.ReadFile(crawlersFile)
	if err != nil {
		return nil, fmt.Errorf("crawler list (--crawlers): %w", err)
	}
	rules, err := New(crawlers)
	if err != nil {
		return nil, fmt.Errorf("crawler list %s (--crawlers): %w", crawlersFile, err)
	}
	return rules, nil
}

func loadEmbedded(files fs.FS) (*Rules, error) {
	crawlers, err := fs.ReadFile(files, embeddedCrawlers)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("this binary was built without the crawler list: build it with `make build`, or name a copy of crawler-user-agents.json with --crawlers FILE")
	}
	if err != nil {
		return nil, fmt.Errorf("embedded crawler list: %w", err)
	}
	rules, err := New(crawlers)
	if err != nil {
		return nil, fmt.Errorf("embedded crawler list: %w", err)
	}
	return rules, nil
}

// New compiles our own lists and the given crawler list.
func New(crawlers []byte) (*Rules, error) {
	patterns, err := readCrawlers(crawlers)
	if err != nil {
		return nil, err
	}
	for _, own := range []struct {
		list  string
		shows signs
	}{
		{previewers, signs(attribution.ReasonPreview)},
		{tools, signs(attribution.ReasonTool)},
		{ownCrawlers, signRobot},
	} {
		for _, line := range entries(own.list) {
			patterns = append(patterns, pattern{line, own.shows})
		}
	}
	var hosting []uint32
	for _, line := range entries(hostingNetworks) {
		asn, err := strconv.ParseUint(line, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("lists/hosting.txt: %w", err)
		}
		hosting = append(hosting, uint32(asn))
	}
	slices.Sort(hosting)
	return compile(patterns, hosting)
}

func compile(patterns []pattern, hosting []uint32) (*Rules, error) {
	rules := &Rules{hosting: hosting, memory: &memory{seed: maphash.MakeSeed()}}
	all := append(literals(engineMarks, signEngine), literals(declaredMarks, signDeclared)...)
	for _, p := range patterns {
		texts, exp, err := p.compile()
		if err != nil {
			return nil, err
		}
		all = append(all, texts...)
		if exp != nil {
			rules.expressions = append(rules.expressions, exp)
		}
	}
	var err error
	if rules.automaton, err = newAutomaton(all); err != nil {
		return nil, err
	}
	rules.version = versionOf(patterns, hosting)
	return rules, nil
}

// Version names this content of the lists; see versionOf.
func (r *Rules) Version() uint32 { return r.version }

// Datacenter reports whether a network rents out servers. An asn of 0 is
// unknown.
func (r *Rules) Datacenter(asn uint32) bool {
	_, found := slices.BinarySearch(r.hosting, asn)
	return found
}

// userAgent says what a user agent shows.
func (r *Rules) userAgent(userAgent []byte) attribution.Reasons {
	if len(userAgent) > MaxUserAgentBytes {
		userAgent = userAgent[:MaxUserAgentBytes]
	}
	hash := r.memory.hash(userAgent)
	if reasons, known := r.memory.recall(hash); known {
		return reasons
	}
	reasons := r.judge(userAgent)
	r.memory.keep(hash, reasons)
	return reasons
}

// judge is userAgent without the memory.
func (r *Rules) judge(userAgent []byte) attribution.Reasons {
	if len(bytes.TrimSpace(userAgent)) == 0 {
		return attribution.ReasonEmptyUserAgent
	}
	found := r.automaton.scan(userAgent)
	if found&signConfirm != 0 {
		for _, e := range r.expressions {
			if e.regexp.Match(userAgent) {
				found |= e.shows
			}
		}
	}
	return found.reasons()
}

// versionOf numbers what the rules say. It follows from the content alone, so
// that nodes with the same lists agree without asking each other, a restart
// changes nothing, and any change of a list is a new version; a counter would
// have to be stored and shared. It is a checksum: it tells versions apart and
// does not order them. matching is raised by hand when the code comes to judge
// the same lists differently.
func versionOf(patterns []pattern, hosting []uint32) uint32 {
	const matching = 1
	sum := crc32.NewIEEE()
	fmt.Fprintln(sum, matching)
	for _, p := range patterns {
		fmt.Fprintln(sum, p.shows, p.expression)
	}
	for _, asn := range hosting {
		fmt.Fprintln(sum, asn)
	}
	return max(1, sum.Sum32()&0x7fffffff) // 31 bits: positive in every client's integer
}
