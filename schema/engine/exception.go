package engine

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// exception is an error of ClickHouse, with its code as a server would give it.
type exception struct {
	code int
	text string // complete: "Code: 60. DB::Exception: …"
}

// Codes of ClickHouse's own that this package raises or maps.
const (
	codeBadArguments    = 36
	codeUnknownFunction = 46
	codeUnknownColumn   = 47
	codeUnknownTable    = 60
	codeSyntax          = 62
	codeUnknownDatabase = 81
	codeUnknownSetting  = 115
	codeTimeout         = 159
	codeQueryTooLarge   = 223
	codeReadOnly        = 164
	codeTooManyQueries  = 202
	codeUnknown         = 1002
)

func (e *exception) Error() string { return e.text }

func exceptionf(code int, format string, args ...any) *exception {
	return &exception{code: code, text: fmt.Sprintf("Code: %d. DB::Exception: %s", code, fmt.Sprintf(format, args...))}
}

// parseException reads the code out of the engine's "Code: 60. DB::Exception: …".
func parseException(text string) *exception {
	text = strings.TrimSpace(text)
	if rest, found := strings.CutPrefix(text, "Code: "); found {
		digits, _, _ := strings.Cut(rest, ".")
		if code, err := strconv.Atoi(digits); err == nil && code > 0 {
			return &exception{code: code, text: text}
		}
	}
	return exceptionf(codeUnknown, "%s", text)
}

// status is the HTTP status a ClickHouse server answers for the code.
func (e *exception) status() int {
	switch e.code {
	case codeBadArguments, codeSyntax:
		return http.StatusBadRequest
	case codeUnknownFunction, codeUnknownColumn, codeUnknownTable, codeUnknownDatabase, codeUnknownSetting:
		return http.StatusNotFound
	case codeReadOnly:
		return http.StatusForbidden
	case codeTimeout:
		return http.StatusRequestTimeout
	case codeQueryTooLarge:
		return http.StatusRequestEntityTooLarge
	case codeTooManyQueries:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}
