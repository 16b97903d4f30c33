package engine

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	chproto "github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// answer writes a query's result. Its status is decided by the first bytes:
// an error before them is a status and a header, one after them is framed in
// the body, as a ClickHouse server does.
type answer struct {
	w          http.ResponseWriter
	format     string
	compressor *compress.Writer // nil: as it is
	tag        string
	started    bool
}

func newAnswer(w http.ResponseWriter, req *request) *answer {
	a := &answer{w: w, format: req.format, tag: rand.Text()[:16]}
	if req.statement.format != "" {
		a.format = req.statement.format
	}
	if req.compress {
		a.compressor = compress.NewWriter(compress.LevelZero, compress.LZ4)
	}
	return a
}

// write passes bytes of the result on; b is the engine's and is not kept.
func (a *answer) write(b []byte) error {
	if !a.started {
		a.started = true
		a.w.Header().Set("X-ClickHouse-Format", a.format)
		a.w.Header().Set("X-ClickHouse-Exception-Tag", a.tag)
		a.w.Header().Set("Content-Type", contentType(a.format))
	}
	if a.compressor == nil {
		_, err := a.w.Write(b)
		return err
	}
	const frame = 1 << 20
	for len(b) > 0 {
		n := min(len(b), frame)
		if err := a.compressor.Compress(b[:n]); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
		if _, err := a.w.Write(a.compressor.Data); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// fail ends the answer with an error.
func (a *answer) fail(e *exception) {
	if !a.started {
		writeException(a.w, e)
		return
	}
	text := e.text + "\n"
	framed := fmt.Sprintf("\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n", a.tag, text, len(text), a.tag)
	if err := a.write([]byte(framed)); err != nil {
		panic(http.ErrAbortHandler) // the client is gone, or must not take what it has for the whole
	}
}

func writeException(w http.ResponseWriter, e *exception) {
	w.Header().Set("X-ClickHouse-Exception-Code", strconv.Itoa(e.code))
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.Header().Set("Connection", "close") // what is left of the body is not read
	w.WriteHeader(e.status())
	fmt.Fprintln(w, e.text)
}

func contentType(format string) string {
	switch format {
	case "TabSeparated", "TSV", "TabSeparatedWithNames", "TSVWithNames":
		return "text/tab-separated-values; charset=UTF-8"
	case "CSV", "CSVWithNames":
		return "text/csv; charset=UTF-8; header=" + map[bool]string{true: "present", false: "absent"}[format == "CSVWithNames"]
	case "JSON", "JSONCompact", "JSONStrings":
		return "application/json; charset=UTF-8"
	case "JSONEachRow":
		return "application/x-ndjson; charset=UTF-8"
	case "Native", "Parquet", "Arrow", "RowBinary":
		return "application/octet-stream"
	default:
		return "text/plain; charset=UTF-8"
	}
}

// helloQuery is clickhouse-go's first query. The revision it is told decides
// how it decodes all later answers.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

// hello answers clickhouse-go's first query: revision 0, whose Native format
// is the one the engine writes, encoded at the client's own revision, which
// is what the client decodes this answer with.
func hello(version string, revision uint64) ([]byte, error) {
	if revision == 0 {
		revision = clickhouse.ClientTCPProtocolVersion
	}
	var block chproto.Block
	for _, c := range []struct {
		name string
		kind column.Type
	}{{"displayName()", "String"}, {"version()", "String"}, {"revision()", "UInt32"}, {"timezone()", "String"}} {
		if err := block.AddColumn(c.name, c.kind); err != nil {
			return nil, fmt.Errorf("hello: %w", err)
		}
	}
	if err := block.Append("embedded", version, uint32(0), "UTC"); err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	var buffer proto.Buffer
	if err := block.Encode(&buffer, revision); err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	return buffer.Buf, nil
}
