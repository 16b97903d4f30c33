package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// maxControlAnswer bounds what is read of an answer on the control socket.
const maxControlAnswer = 64 << 20

// A controlClient asks the process that serves a data directory, by its control
// socket.
type controlClient struct{ http.Client }

func newControlClient(dataDir string) *controlClient {
	return &controlClient{http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialControl(ctx, dataDir) },
	}}}
}

// An unansweredError says that nobody answers on the control socket.
type unansweredError struct{ error }

func (e unansweredError) Error() string {
	return fmt.Sprintf("the data directory is in use, and the process that serves it does not answer: it may be starting or stopping; try again: %v", e.error)
}

// ask sends one order and decodes the answer. A refusal is an error as the process
// worded it.
func (c *controlClient) ask(ctx context.Context, method, path string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://control"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := c.Do(request)
	if err != nil {
		return unansweredError{err}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxControlAnswer))
	if err != nil {
		return unansweredError{err}
	}
	switch response.StatusCode {
	case http.StatusOK:
		return json.Unmarshal(text, into)
	case http.StatusNotFound:
		return fmt.Errorf("the process that serves the data directory does not know this: it is of another version (%s)", bytes.TrimSpace(text))
	}
	return errors.New(string(bytes.TrimSpace(text)))
}

// answerControl answers an order with what was found, or why there is nothing.
func answerControl(w http.ResponseWriter, found any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(found) // who asked is gone if this fails
}
