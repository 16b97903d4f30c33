package engine

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxQueryBytes bounds a query's text. ClickHouse's own max_query_size (256 KiB) bounds what it parses.
const maxQueryBytes = 1 << 20

// request is one query as ClickHouse's HTTP interface takes it.
type request struct {
	query     string
	statement statement
	data      io.Reader // an insert's rows in statement.format; nil without
	format    string    // of the answer, unless the query has a FORMAT clause
	database  string
	params    []parameter
	settings  []parameter
	revision  uint64 // of the client's Native format; 0 for clients that are not clickhouse-go
	compress  bool   // the answer, in ClickHouse's own framing
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// readRequest reads a query from the URL and the body, which the caller has bounded.
func readRequest(r *http.Request) (*request, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return nil, exceptionf(codeBadArguments, "Send a query by GET or POST. (BAD_ARGUMENTS)")
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, exceptionf(codeBadArguments, "Content-Encoding %q is not taken: send the body as it is. (BAD_ARGUMENTS)", encoding)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return nil, exceptionf(codeBadArguments, "External tables are not taken: use a subquery or a parameter. (BAD_ARGUMENTS)")
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, exceptionf(codeBadArguments, "The URL's query string cannot be read: %v. (BAD_ARGUMENTS)", err)
	}
	req := &request{format: "TabSeparated"}
	if err := req.readValues(values); err != nil {
		return nil, err
	}
	if req.format == "" {
		req.format = "TabSeparated"
	}
	return req, req.readBody(r.Body)
}

func (req *request) readValues(values url.Values) error {
	for name, all := range values {
		value := all[0]
		switch name {
		case "query":
			req.query = value
		case "database":
			req.database = value
		case "default_format":
			req.format = value
		case "client_protocol_version":
			req.revision, _ = strconv.ParseUint(value, 10, 32)
		case "compress":
			req.compress = value == "1"
		case "user", "password", "query_id", "quota_key", "stacktrace", "wait_end_of_query", "buffer_size",
			"log_comment", "network_compression_method", "network_zstd_compression_level":
			// What these ask for has no meaning here: there are no users or query log, every answer waits for its first block, the framing is LZ4.
		case "decompress", "session_id", "role":
			if value != "" && value != "0" {
				return exceptionf(codeBadArguments, "%s is not available on the embedded engine. (BAD_ARGUMENTS)", name)
			}
		default:
			if param, found := strings.CutPrefix(name, "param_"); found {
				req.params = append(req.params, parameter{param, value})
				continue
			}
			if !settingName.MatchString(name) {
				return exceptionf(codeUnknownSetting, "Unknown setting %q. (UNKNOWN_SETTING)", name)
			}
			req.settings = append(req.settings, parameter{name, value})
		}
	}
	byName := func(a, b parameter) int { return strings.Compare(a.name, b.name) }
	slices.SortFunc(req.settings, byName)
	slices.SortFunc(req.params, byName)
	return nil
}

// readBody takes the body as an insert's data when the URL holds an insert, and as (the rest of) the query otherwise.
func (req *request) readBody(body io.Reader) error {
	req.statement = scanStatement(req.query)
	if req.statement.verb == "insert" && req.statement.format != "" {
		req.data = io.MultiReader(strings.NewReader(strings.TrimLeft(req.query[req.statement.formatEnd:], " \r\n")), body)
		return req.statement.check()
	}
	text, err := io.ReadAll(io.LimitReader(body, maxQueryBytes+1))
	if err != nil {
		return bodyError(err)
	}
	if len(text) > 0 && req.query != "" {
		req.query += "\n"
	}
	req.query += string(text)
	if len(req.query) > maxQueryBytes {
		return exceptionf(codeQueryTooLarge, "A query may have %d bytes. Send rows as an insert's body, with the query in the URL. (QUERY_IS_TOO_LARGE)", maxQueryBytes)
	}
	if strings.TrimSpace(req.query) == "" {
		return exceptionf(codeSyntax, "Syntax error: empty query. Send one in the body or as ?query=. (SYNTAX_ERROR)")
	}
	req.statement = scanStatement(req.query)
	if req.statement.verb == "insert" && req.statement.format != "" {
		req.data = strings.NewReader(strings.TrimLeft(req.query[req.statement.formatEnd:], " \r\n"))
	}
	return req.statement.check()
}

// streams tells whether the answer can go out block by block. The engine does
// so for selects, and gets the ends of formats other than Native wrong.
func (req *request) streams() bool {
	return req.format == "Native" && req.statement.format == "" && req.statement.selects()
}

// bodyError names the bound that a body broke; anything else means the client went away.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return exceptionf(codeQueryTooLarge, "A request may have %d bytes; send smaller batches. (QUERY_IS_TOO_LARGE)", tooLarge.Limit)
	}
	return err
}

// setStatement renders settings as a SET query; "" without any.
func setStatement(settings []parameter) string {
	if len(settings) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("SET ")
	for i, s := range settings {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.name + " = " + quoteString(s.value))
	}
	return b.String()
}

func quoteString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
