package engine

import "strings"

// statement is what the child must know of a query before the engine parses
// it: how to run it, and whether it may run at all.
type statement struct {
	verb      string // first word, lower case
	format    string // the FORMAT clause's name, "" without one
	formatAt  int    // where the FORMAT clause starts
	formatEnd int    // where it ends: an insert's inline data follows
	several   bool   // more than one statement
	outfile   bool   // INTO OUTFILE, which would write a file of the engine's machine
	calls     []string
	odd       bool // characters outside quotes that this lexer may read otherwise than ClickHouse
}

// scanStatement reads a query's words, knowing quotes and comments as
// ClickHouse's lexer does. An insert is read up to its data.
func scanStatement(query string) statement {
	var s statement
	var previous, word string // the last two words with nothing between them
	var previousAt, wordAt int
	ended := false
	for i := 0; i < len(query); {
		token, next := nextToken(query, i)
		start := i
		i = next
		switch token {
		case tokenSpace:
			continue
		case tokenString:
			word = ""
		case tokenWord, tokenQuotedName:
			previous, previousAt = word, wordAt
			word, wordAt = query[start:next], start
			if token == tokenQuotedName {
				s.odd = s.odd || strings.Contains(word, `\`)
				word = word[1 : len(word)-1]
			}
		case tokenOdd:
			s.odd, word = true, ""
		}
		if ended {
			s.several = true
			return s
		}
		switch {
		case token == tokenWord && s.verb == "":
			s.verb = strings.ToLower(word)
		case token == tokenWord && strings.EqualFold(word, "outfile") && strings.EqualFold(previous, "into"):
			s.outfile = true
		case token == tokenWord && strings.EqualFold(previous, "format"):
			s.format, s.formatAt, s.formatEnd = word, previousAt, next
			if s.verb == "insert" {
				return s
			}
		case token == tokenWord && s.verb == "insert" && strings.EqualFold(word, "values"):
			return s
		case token == tokenSymbol:
			if query[start] == '(' && word != "" {
				s.calls = append(s.calls, strings.ToLower(word))
			}
			ended = query[start] == ';'
			word = ""
		}
	}
	return s
}

type tokenKind int

const (
	tokenSpace tokenKind = iota // and comments
	tokenWord
	tokenQuotedName
	tokenString
	tokenSymbol
	tokenOdd
)

// nextToken returns the kind of the token that starts at i, and where the next one does.
func nextToken(query string, i int) (tokenKind, int) {
	c, rest := query[i], query[i:]
	switch {
	case c == ' ' || c >= '\t' && c <= '\r':
		return tokenSpace, i + 1
	case strings.HasPrefix(rest, "--"):
		return tokenSpace, i + lengthThrough(rest, "\n", 2)
	case strings.HasPrefix(rest, "/*"):
		return tokenSpace, i + lengthThrough(rest, "*/", 2)
	case c == '\'':
		return tokenString, i + quotedLength(rest)
	case c == '"' || c == '`':
		n := quotedLength(rest)
		if n < 2 || rest[n-1] != c {
			return tokenOdd, i + n
		}
		return tokenQuotedName, i + n
	case isWordByte(c):
		n := 1
		for n < len(rest) && isWordByte(rest[n]) {
			n++
		}
		return tokenWord, i + n
	case c >= 0x80 || c < ' ' || strings.IndexByte(`$#\`, c) >= 0:
		return tokenOdd, i + 1
	default:
		return tokenSymbol, i + 1
	}
}

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// lengthThrough is the length of s up to and with the first end after from.
func lengthThrough(s, end string, from int) int {
	if n := strings.Index(s[from:], end); n >= 0 {
		return from + n + len(end)
	}
	return len(s)
}

// quotedLength is the length of the quoted text s starts with; a backslash or a doubled quote keeps it open.
func quotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			if i+1 < len(s) && s[i+1] == s[0] {
				i++
				continue
			}
			return i + 1
		}
	}
	return len(s)
}

// selects tells whether the statement is a select, as far as its first word says.
func (s statement) selects() bool {
	return s.verb == "select" || s.verb == "with" || s.verb == "from"
}

// check refuses what no HTTP client may send.
func (s statement) check() error {
	switch {
	case s.several:
		return exceptionf(codeSyntax, "Syntax error: more than one statement in a request; send them one by one. (SYNTAX_ERROR)")
	case s.outfile:
		return exceptionf(codeBadArguments, "INTO OUTFILE is not available over HTTP; write the answer to a file instead. (BAD_ARGUMENTS)")
	}
	return nil
}

// checkReadOnly refuses what the loopback listener does not allow beyond what
// the engine's own readonly mode refuses: that mode still lets a query look
// into files, and describe them.
func (s statement) checkReadOnly() error {
	switch s.verb {
	case "select", "with", "from", "show", "exists", "explain":
	case "describe", "desc":
		if len(s.calls) > 0 {
			return exceptionf(codeReadOnly, "This address only reads tables: DESCRIBE takes the name of one. (READONLY)")
		}
	default:
		return exceptionf(codeReadOnly, "This address only reads: begin with SELECT, WITH, SHOW, DESCRIBE, EXISTS or EXPLAIN. (READONLY)")
	}
	for _, call := range s.calls {
		if call == "file" {
			return exceptionf(codeReadOnly, "This address only reads tables: file() is not available. (READONLY)")
		}
	}
	if s.odd {
		return exceptionf(codeReadOnly, "This address takes only plain ASCII outside of '…' strings, and no $, # or backslash. (READONLY)")
	}
	return nil
}
