package csvimport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An answer is what the server says became of one chunk.
type answer struct {
	Counts
	Errors []refusal `json:"errors"`
}

// Counts say what became of lines.
type Counts struct {
	Lines     int64 `json:"lines"`
	Accepted  int64 `json:"accepted"`
	Duplicate int64 `json:"duplicate"` // known already, and the same
	Conflict  int64 `json:"conflict"`  // known already, and another amount
	Rejected  int64 `json:"rejected"`
	Pending   int64 `json:"pending"` // stored, and settled later
}

// Refused is how many lines were not taken.
func (c *Counts) Refused() int64 { return c.Conflict + c.Rejected }

func (c *Counts) add(more *Counts) {
	c.Lines += more.Lines
	c.Accepted += more.Accepted
	c.Duplicate += more.Duplicate
	c.Conflict += more.Conflict
	c.Rejected += more.Rejected
	c.Pending += more.Pending
}

// A refusal says why a line was not taken.
type refusal struct {
	Line    int    `json:"line"`
	OrderID string `json:"order_id"`
	Code    string `json:"code"`
	Reason  string `json:"reason"`
}

// The bounds of one request and of trying again.
const (
	requestTimeout = 2 * time.Minute
	minBackoff     = 250 * time.Millisecond
	maxBackoff     = 10 * time.Second
	maxAnswerBytes = 8 << 20
)

// send sends a chunk until the server has answered for it, for at most patience.
// waiting is told why it is tried again.
func (r *run) send(ctx context.Context, c *chunk) (*answer, error) {
	began := time.Now()
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		got, err := r.try(ctx, c)
		var again *tryAgain
		if !errors.As(err, &again) {
			return got, err
		}
		if time.Since(began)+wait > r.o.Patience {
			return nil, fmt.Errorf("%w; the same command goes on behind line %d", err, c.line-1)
		}
		r.waiting = again.Error()
		r.show()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(max(wait, again.after)):
		}
		r.waiting = ""
	}
}

// A tryAgain is a failure that passes by itself.
type tryAgain struct {
	why   error
	after time.Duration
}

func (e *tryAgain) Error() string { return e.why.Error() }
func (e *tryAgain) Unwrap() error { return e.why }

// try sends a chunk once.
func (r *run) try(ctx context.Context, c *chunk) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	query := url.Values{"dry_run": {strconv.FormatBool(r.o.DryRun)}}
	if r.o.AdvertiserID != "" {
		query.Set("advertiser_id", r.o.AdvertiserID)
	}
	address := strings.TrimRight(r.o.URL, "/") + "/v1/conversions/import?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, io.MultiReader(bytes.NewReader(r.header), bytes.NewReader(c.text)))
	if err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	request.ContentLength = int64(len(r.header) + len(c.text))
	request.Header.Set("Authorization", "Bearer "+r.o.Key)
	request.Header.Set("Content-Type", "text/csv")
	if !r.o.DryRun {
		request.Header.Set("Idempotency-Key", fmt.Sprintf("%s-%d", r.at.Run, c.offset))
	}
	response, err := r.o.Client.Do(request)
	if err != nil {
		return nil, &tryAgain{why: fmt.Errorf("the server cannot be reached: %w", err)}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return nil, &tryAgain{why: fmt.Errorf("the answer was cut off: %w", err)}
	}
	if response.StatusCode != http.StatusOK {
		return nil, refused(response, body)
	}
	got := &answer{}
	if err := json.Unmarshal(body, got); err != nil {
		return nil, fmt.Errorf("%s does not answer like Tributary's API: is --url its admin address? %w", r.o.URL, err)
	}
	for i := range got.Errors { // from lines of the request to lines of the file
		got.Errors[i].Line += c.line - 1 - bytes.Count(r.header, []byte{'\n'})
	}
	return got, nil
}

// refused is why a request was not answered with 200.
func refused(response *http.Response, body []byte) error {
	var problem struct {
		Detail string
		Errors []struct{ Location, Message string }
	}
	said := response.Status
	if json.Unmarshal(body, &problem) == nil && problem.Detail != "" {
		said += ": " + problem.Detail
		for _, e := range problem.Errors {
			said += "; " + e.Message
		}
	}
	err := fmt.Errorf("the server answers %s", said)
	switch response.StatusCode {
	case http.StatusUnauthorized:
		return fmt.Errorf("%w: give an API key with --key or TRIBUTARY_KEY", err)
	case http.StatusConflict, // the chunk is being taken, from a process that was killed
		http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return &tryAgain{err, time.Duration(min(max(seconds, 0), 60)) * time.Second}
	}
	return err
}
