// Command report sends conversions to Tributary, signed, and again when it asks to wait.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"
)

// A Client reports for one advertiser.
type Client struct {
	URL      string // https://t.example
	SecretID string // sec_…
	Secret   string // trb_hmac_…
}

// A Result says what became of one conversion.
type Result struct {
	OrderID   string `json:"order_id"`
	Status    string `json:"status"` // accepted or rejected
	ReceiptID string `json:"receipt_id,omitempty"`
	Code      string `json:"code,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

const attempts = 6

// Report sends a conversion, or an array of up to 1,000, and returns the result of
// each. path is /t/conversions or /t/refunds.
func (c Client) Report(path string, body []byte) ([]Result, error) {
	for attempt := range attempts {
		answer, wait, err := c.send(path, body)
		if err != nil {
			return nil, err
		}
		if answer != nil {
			var taken struct{ Results []Result }
			return taken.Results, json.Unmarshal(answer, &taken)
		}
		if attempt < attempts-1 {
			time.Sleep(min(max(wait, 1<<attempt*time.Second), time.Minute))
		}
	}
	return nil, fmt.Errorf("no answer: keep the conversions and send them later")
}

// send tries once. Without an answer and an error it may be tried again after wait.
func (c Client) send(path string, body []byte) (answer []byte, wait time.Duration, err error) {
	request, err := http.NewRequest(http.MethodPost, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	now := strconv.FormatInt(time.Now().Unix(), 10) // every attempt is signed anew: a signature lives for 5 minutes
	mac := hmac.New(sha256.New, []byte(c.Secret))
	mac.Write([]byte(now + "."))
	mac.Write(body)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Tributary-Key-Id", c.SecretID)
	request.Header.Set("Tributary-Timestamp", now)
	request.Header.Set("Tributary-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return nil, 0, nil // no answer: an order counts once, so it is safe to send it again
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	switch {
	case slices.Contains([]int{429, 500, 502, 503, 504}, response.StatusCode) || err != nil:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return nil, time.Duration(seconds) * time.Second, nil
	case response.StatusCode != http.StatusOK:
		return nil, 0, fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, 0, nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	path := "/t/conversions"
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	results, err := Client{os.Getenv("TRIBUTARY_URL"), os.Getenv("TRIBUTARY_SECRET_ID"), os.Getenv("TRIBUTARY_SECRET")}.Report(path, body)
	if err != nil {
		return err
	}
	for _, result := range results {
		if result.Status == "rejected" {
			err = fmt.Errorf("rejected: %s", result.Reason)
		}
	}
	if encodeErr := json.NewEncoder(os.Stdout).Encode(results); encodeErr != nil {
		return encodeErr
	}
	return err
}
