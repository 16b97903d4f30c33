package loadgen

import (
	"bytes"
	"errors"
	"strconv"
)

// errMalformed is for bytes that are no HTTP/1.1 answer this reader knows.
var errMalformed = errors.New("malformed answer")

// maxHeadBytes bounds an answer's head; a body may be as long as it says.
const maxHeadBytes = 16 << 10

var endOfHead = []byte("\r\n\r\n")

// An answer is what is left of one that was read.
type answer struct {
	status    int
	bodyBytes int
	closes    bool // the connection ends with it
}

// readHead reads the answer that begins data, without its body, and returns how
// long its head is; 0 when it is not all there. It knows what trackers send: a
// status line, headers, and a body of a given length or none.
func readHead(data []byte) (a answer, headBytes int, err error) {
	end := bytes.Index(data, endOfHead)
	if end < 0 {
		if len(data) >= maxHeadBytes || len(data) >= len("HTTP/1.") && !bytes.HasPrefix(data, []byte("HTTP/1.")) {
			return answer{}, 0, errMalformed
		}
		return answer{}, 0, nil
	}
	line, headers, _ := bytes.Cut(data[:end], []byte("\r\n"))
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return answer{}, 0, errMalformed
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return answer{}, 0, errMalformed
	}
	for len(headers) > 0 {
		line, headers, _ = bytes.Cut(headers, []byte("\r\n"))
		if err := a.readHeader(line); err != nil {
			return answer{}, 0, err
		}
	}
	return a, end + len(endOfHead), nil
}

func (a *answer) readHeader(line []byte) (err error) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		if a.bodyBytes, err = strconv.Atoi(string(value)); err != nil || a.bodyBytes < 0 {
			return errMalformed
		}
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		return errMalformed
	case bytes.EqualFold(name, []byte("Connection")):
		a.closes = bytes.EqualFold(value, []byte("close"))
	}
	return nil
}
