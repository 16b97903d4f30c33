package loadgen

import (
	"bufio"
	"bytes"
	"errors"
	"strconv"
)

// errMalformed is for bytes that are no HTTP/1.1 answer this reader knows.
var errMalformed = errors.New("malformed answer")

// readAnswer reads one answer and returns its status. It knows what trackers
// send: a status line, headers, and a body of a given length or none.
func readAnswer(r *bufio.Reader) (status int, closes bool, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return 0, false, errMalformed
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, false, errMalformed
	}
	length := 0
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return 0, false, err
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if !found {
			break
		}
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, errMalformed
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return 0, false, errMalformed
		case bytes.EqualFold(name, []byte("Connection")):
			closes = bytes.EqualFold(value, []byte("close"))
		}
	}
	_, err = r.Discard(length)
	return status, closes, err
}
