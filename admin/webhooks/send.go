package webhooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// userAgent names the sender to receivers.
const userAgent = "Tributary-Webhooks/1"

// maxAskedDelay is the longest Retry-After that is honoured.
const maxAskedDelay = 12 * time.Hour

// A goneError is an answer 410: the receiver wants no more.
type goneError struct{}

func (goneError) Error() string { return "the answer is 410 Gone" }

// attempt sends a delivery once. A ctx that ends cuts it short.
func (s *Service) attempt(ctx context.Context, w *Webhook, c claim) result {
	began := s.o.Now()
	started := time.Now()
	r := result{claim: c, at: began}
	within, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	r.err = s.send(within, w, &r)
	r.duration, r.cut = time.Since(started), ctx.Err() != nil && r.err != nil
	if !r.cut {
		s.metrics.attempts.WithLabelValues(resultOf(&r)).Inc()
		s.metrics.seconds.Observe(r.duration.Seconds())
	}
	return r
}

func (s *Service) send(ctx context.Context, w *Webhook, r *result) error {
	secrets, err := s.secrets(w, r.at)
	if err != nil {
		return err
	}
	signature, err := Sign(secrets, r.eventID, r.at, []byte(r.body))
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, strings.NewReader(r.body))
	if err != nil {
		return fmt.Errorf("the address cannot be used: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("webhook-id", r.eventID)
	request.Header.Set("webhook-timestamp", strconv.FormatInt(r.at.Unix(), 10))
	request.Header.Set("webhook-signature", signature)
	to := s.targets.Load()
	client := to.client
	if request.URL.Scheme != "https" {
		client = to.insecure
	}
	response, err := client.Do(request)
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err // without the address, which may hold what only the owner knows
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	r.code = response.StatusCode
	r.answer = firstBytes(response.Body)
	switch {
	case r.code/100 == 2:
		return nil
	case r.code == http.StatusGone:
		return goneError{}
	case r.code/100 == 3:
		return fmt.Errorf("the answer is %d: redirects are not followed", r.code)
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		r.asked = min(time.Duration(seconds)*time.Second, maxAskedDelay)
	}
	return fmt.Errorf("the answer is %d", r.code)
}

// firstBytes reads an answer as far as is worth it, and keeps its beginning as
// text that can be shown.
func firstBytes(body io.Reader) string {
	head, _ := io.ReadAll(io.LimitReader(body, keptAnswer))         // what came is what is shown
	_, _ = io.Copy(io.Discard, io.LimitReader(body, maxAnswerRead)) // so that the connection can be used again
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return '�'
		}
		return r
	}, strings.ToValidUTF8(string(head), "�"))
}

func resultOf(r *result) string {
	var refused refusedTarget
	var timeout net.Error
	switch {
	case r.err == nil:
		return resultDelivered
	case errors.As(r.err, &refused):
		return resultRefused
	case r.code != 0:
		return resultStatus
	case errors.As(r.err, &timeout) && timeout.Timeout():
		return resultTimeout
	}
	return resultError
}
