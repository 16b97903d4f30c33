package engine

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// chdb is the loaded library: the part of its C interface the child uses.
// The C declarations are those of chdb.h 26.5.
type chdb struct {
	connect       func(argc int32, argv **byte) *unsafe.Pointer
	closeConn     func(conn *unsafe.Pointer)
	query         func(conn unsafe.Pointer, query *byte, queryLen uintptr, format *byte, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	streamQuery   func(conn unsafe.Pointer, query *byte, queryLen uintptr, format *byte, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer
	streamFetch   func(conn, stream unsafe.Pointer) unsafe.Pointer
	streamCancel  func(conn, stream unsafe.Pointer)
	resultBuffer  func(result unsafe.Pointer) *byte
	resultLength  func(result unsafe.Pointer) uintptr
	resultError   func(result unsafe.Pointer) string
	resultDestroy func(result unsafe.Pointer)
	handleSignals func(enabled int32)
}

// loadLibrary maps libchdb into the process. It can be done once and never undone: the engine keeps its threads.
func loadLibrary(path string) (*chdb, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("load engine library %s: %w", path, err)
	}
	c := &chdb{}
	for _, symbol := range []struct {
		function any
		name     string
	}{
		{&c.connect, "chdb_connect"},
		{&c.closeConn, "chdb_close_conn"},
		{&c.query, "chdb_query_with_params_n"},
		{&c.streamQuery, "chdb_stream_query_with_params_n"},
		{&c.streamFetch, "chdb_stream_fetch_result"},
		{&c.streamCancel, "chdb_stream_cancel_query"},
		{&c.resultBuffer, "chdb_result_buffer"},
		{&c.resultLength, "chdb_result_length"},
		{&c.resultError, "chdb_result_error"},
		{&c.resultDestroy, "chdb_destroy_query_result"},
		{&c.handleSignals, "chdb_set_signal_handlers_enabled"},
	} {
		address, err := purego.Dlsym(handle, symbol.name)
		if err != nil {
			return nil, fmt.Errorf("engine library %s lacks %s; install the pinned version with 'make deps': %w", path, symbol.name, err)
		}
		purego.RegisterFunc(symbol.function, address)
	}
	c.handleSignals(0) // signals are Go's
	return c, nil
}

// conn is one connection to the engine: a session with its own settings and
// current database, for one query at a time. Opening one takes about 0.1 ms.
type conn struct {
	lib    *chdb
	handle *unsafe.Pointer
}

// parameter is a value for a {name:Type} placeholder, in TSV-escaped text as ClickHouse reads it.
type parameter struct{ name, value string }

// open connects to the engine, starting it with the first connection; every
// connection must be given the same arguments.
func (c *chdb) open(args []string) (*conn, error) {
	argv := make([]*byte, len(args)+1)
	for i, arg := range args {
		argv[i] = cString(arg)
	}
	handle := c.connect(int32(len(args)), &argv[0])
	runtime.KeepAlive(argv)
	if handle == nil {
		return nil, errors.New("the engine did not start; its reason is in the lines above")
	}
	return &conn{lib: c, handle: handle}, nil
}

func (c *conn) close() {
	c.lib.closeConn(c.handle)
}

// exec runs a statement whole and hands its output, if any, to write.
func (c *conn) exec(query, format string, params []parameter, write func([]byte) error) error {
	result := c.start(c.lib.query, query, format, params)
	if result == nil {
		return exceptionf(codeUnknown, "the engine returned nothing")
	}
	defer c.lib.resultDestroy(result)
	_, err := c.deliver(result, write)
	return err
}

// stream runs a reading statement and hands its output to write chunk by
// chunk, so that a large result never stands in memory whole. The first call
// of write comes after the first chunk succeeded.
func (c *conn) stream(query, format string, params []parameter, write func([]byte) error) error {
	stream := c.start(c.lib.streamQuery, query, format, params)
	if stream == nil {
		return exceptionf(codeUnknown, "the engine returned nothing")
	}
	defer c.lib.resultDestroy(stream)
	if text := c.lib.resultError(stream); text != "" {
		return parseException(text)
	}
	for {
		chunk := c.lib.streamFetch(*c.handle, stream)
		if chunk == nil {
			return exceptionf(codeUnknown, "the engine returned nothing")
		}
		n, err := c.deliver(chunk, write)
		c.lib.resultDestroy(chunk)
		if err != nil {
			var failed *exception
			if !errors.As(err, &failed) { // the reader went away, the query has not ended
				c.lib.streamCancel(*c.handle, stream)
			}
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

type startFunc = func(conn unsafe.Pointer, query *byte, queryLen uintptr, format *byte, formatLen uintptr, names, nameLens, values, valueLens unsafe.Pointer, count uintptr) unsafe.Pointer

func (c *conn) start(call startFunc, query, format string, params []parameter) unsafe.Pointer {
	q, f := cString(query), cString(format)
	if len(params) == 0 {
		return call(*c.handle, q, uintptr(len(query)), f, uintptr(len(format)), nil, nil, nil, nil, 0)
	}
	names, values := make([]*byte, len(params)), make([]*byte, len(params))
	nameLens, valueLens := make([]uintptr, len(params)), make([]uintptr, len(params))
	for i, p := range params {
		names[i], nameLens[i] = cString(p.name), uintptr(len(p.name))
		values[i], valueLens[i] = cString(p.value), uintptr(len(p.value))
	}
	result := call(*c.handle, q, uintptr(len(query)), f, uintptr(len(format)),
		unsafe.Pointer(&names[0]), unsafe.Pointer(&nameLens[0]), unsafe.Pointer(&values[0]), unsafe.Pointer(&valueLens[0]), uintptr(len(params)))
	runtime.KeepAlive([]any{names, values, nameLens, valueLens})
	return result
}

// deliver passes a result's bytes on without copying them and says how many there were.
func (c *conn) deliver(result unsafe.Pointer, write func([]byte) error) (int, error) {
	if text := c.lib.resultError(result); text != "" {
		return 0, parseException(text)
	}
	n := int(c.lib.resultLength(result))
	if n == 0 {
		return 0, nil
	}
	return n, write(unsafe.Slice(c.lib.resultBuffer(result), n))
}

func cString(s string) *byte {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return &b[0]
}
