package verdict

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"

	"tributary/attribution"
)

// signs is what a user agent shows, gathered as bits: reasons that count
// wherever their pattern is found, reasons that count outside an undeclared
// browser only, and the marks that tell which of the two it is.
type signs uint32

const (
	signReasons     = attribution.ReasonPreview | attribution.ReasonCrawler | attribution.ReasonTool
	signOutsideOnly = 16 // how far reasons that count outside browsers are shifted

	signEngine   signs = 1 << 12 // a browser's engine is named
	signDeclared signs = 1 << 13 // it says what it is, or whom to complain to
	signRobot    signs = 1 << 14 // it calls itself a robot, of whatever kind
	signConfirm  signs = 1 << 15 // the literal part of an expression was found: run the expressions
)

// reasons resolves what was gathered over a whole user agent.
func (s signs) reasons() attribution.Reasons {
	reasons := attribution.Reasons(s) & signReasons
	if undeclaredBrowser := s&signEngine != 0 && s&signDeclared == 0; !undeclaredBrowser {
		reasons |= attribution.Reasons(s>>signOutsideOnly) & signReasons
	}
	if reasons == 0 && s&signRobot != 0 {
		reasons = attribution.ReasonCrawler
	}
	return reasons
}

// engineMarks and declaredMarks are the texts that show a browser, and one that
// admits to be none.
var (
	engineMarks   = []string{"AppleWebKit", "Gecko/"}
	declaredMarks = []string{"compatible;", "://"}
)

// A pattern is one line of a list: an expression and what finding it shows.
type pattern struct {
	expression string
	shows      signs
}

// A literal is a text the automaton looks for. textStart and textEnd in it stand
// for the ends of a user agent.
type literal struct {
	text  string
	shows signs
}

const (
	textStart = "\x02"
	textEnd   = "\x03"
)

// shortestLiteral keeps a pattern from calling everybody a bot.
const shortestLiteral = 3

// maxSpellings bounds how many literals one expression may become.
const maxSpellings = 32

// An expression is a pattern that literals cannot spell.
type expression struct {
	regexp *regexp.Regexp
	shows  signs
}

// compile turns a pattern into literals, and if those only hint at a match, into
// an expression that confirms it. Most patterns of the lists are plain names,
// and most others, like ^curl and [wW]get, have a few spellings.
func (p pattern) compile() ([]literal, *expression, error) {
	re, err := regexp.Compile(p.expression)
	if err != nil {
		return nil, nil, fmt.Errorf("pattern %q: %w", p.expression, err)
	}
	tree, err := syntax.Parse(p.expression, syntax.Perl)
	if err != nil {
		return nil, nil, fmt.Errorf("pattern %q: %w", p.expression, err)
	}
	tree = tree.Simplify()
	if texts, ok := spell(tree); ok {
		if shortest(texts) < shortestLiteral {
			return nil, nil, fmt.Errorf("pattern %q matches too much: write at least %d characters", p.expression, shortestLiteral)
		}
		return literals(texts, p.shows), nil, nil
	}
	hints := longestPart(tree)
	if shortest(hints) < shortestLiteral {
		return nil, nil, fmt.Errorf("pattern %q: %w", p.expression, errNoHint)
	}
	return literals(hints, signConfirm), &expression{re, p.shows}, nil
}

var errNoHint = errors.New("has no plain text of 3 or more characters to look for; write some of the name out")

func literals(texts []string, shows signs) []literal {
	made := make([]literal, len(texts))
	for i, text := range texts {
		made[i] = literal{text, shows}
	}
	return made
}

// spell lists every text an expression matches, if there are few.
func spell(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		return []string{string(re.Rune)}, re.Flags&syntax.FoldCase == 0
	case syntax.OpBeginText:
		return []string{textStart}, true
	case syntax.OpEndText:
		return []string{textEnd}, true
	case syntax.OpCapture:
		return spell(re.Sub[0])
	case syntax.OpQuest:
		texts, ok := spell(re.Sub[0])
		return append(texts, ""), ok
	case syntax.OpCharClass:
		return spellClass(re.Rune)
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			texts, ok := spell(sub)
			if !ok {
				return nil, false
			}
			all = append(all, texts...)
		}
		return all, len(all) <= maxSpellings
	case syntax.OpConcat:
		return spellConcat(re.Sub)
	default:
		return nil, false
	}
}

func spellClass(ranges []rune) ([]string, bool) {
	var texts []string
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if texts = append(texts, string(r)); len(texts) > maxSpellings {
				return nil, false
			}
		}
	}
	return texts, true
}

func spellConcat(parts []*syntax.Regexp) ([]string, bool) {
	all := []string{""}
	for _, part := range parts {
		texts, ok := spell(part)
		if !ok || len(all)*len(texts) > maxSpellings {
			return nil, false
		}
		var longer []string
		for _, head := range all {
			for _, tail := range texts {
				longer = append(longer, head+tail)
			}
		}
		all = longer
	}
	return all, true
}

// longestPart finds texts one of which is in everything the expression matches.
func longestPart(re *syntax.Regexp) []string {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	if re.Op != syntax.OpConcat {
		return nil
	}
	var best []string
	for _, part := range re.Sub {
		if texts, ok := spell(part); ok && shortest(texts) > shortest(best) {
			best = texts
		}
	}
	return best
}

// shortest is the length of the shortest text, 0 for none.
func shortest(texts []string) int {
	if len(texts) == 0 {
		return 0
	}
	return len(slices.MinFunc(texts, func(a, b string) int { return len(a) - len(b) }))
}
