package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// asking is the client for everything that is not load. It keeps no connections:
// servers come and go.
var asking = http.Client{
	Timeout:       2 * time.Minute,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

const maxAnswer = 256 << 20

// ready asks a listener whether it can do its job.
func ready(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	_, _, err = answerTo(request)
	return err
}

// answerTo returns a successful answer.
func answerTo(request *http.Request) ([]byte, http.Header, error) {
	response, err := asking.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, nil, err
	}
	if response.StatusCode >= 400 {
		return nil, nil, fmt.Errorf("%s %s is answered %s: %.300s", request.Method, request.URL.Path, response.Status, content)
	}
	return content, response.Header, nil
}

// call asks the API.
func (s *server) call(method, path string, body map[string]any) (map[string]any, error) {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequest(method, "http://"+s.admin+path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+adminKey)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	text, _, err := answerTo(request)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	var answer map[string]any
	return answer, json.Unmarshal(text, &answer)
}

// make makes a thing and returns its id.
func (s *server) make(path string, body map[string]any) (string, error) {
	made, err := s.call(http.MethodPost, path, body)
	if err != nil {
		return "", err
	}
	id, _ := made["id"].(string)
	return id, nil
}

// all lists every item of a collection.
func (s *server) all(path string, each func(map[string]any)) error {
	query := url.Values{"limit": {"1000"}}
	for {
		page, err := s.call(http.MethodGet, path+"?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		items, _ := page["items"].([]any)
		for _, item := range items {
			if fields, ok := item.(map[string]any); ok {
				each(fields)
			}
		}
		next, _ := page["next_cursor"].(string)
		if next == "" {
			return nil
		}
		query.Set("cursor", next)
	}
}

// ask has ClickHouse itself answer, in tab-separated text, past the product.
func (s *server) ask(query string) (string, error) {
	request, err := http.NewRequest(http.MethodPost, "http://"+s.readers+"/", strings.NewReader(query))
	if err != nil {
		return "", err
	}
	text, _, err := answerTo(request)
	return string(text), err
}

// numbers asks ClickHouse for one row of counts.
func (s *server) numbers(query string) ([]int, error) {
	text, err := s.ask(query)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for field := range strings.FieldsSeq(text) {
		n, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", query, err)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// metrics reads every sample of a process, named with its labels.
func metrics(admin string) (map[string]float64, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	text, _, err := answerTo(request)
	if err != nil {
		return nil, err
	}
	samples := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		if i < 0 {
			continue
		}
		if samples[line[:i]], err = strconv.ParseFloat(strings.TrimSpace(line[i+1:]), 64); err != nil {
			return nil, fmt.Errorf("metric %s: %w", line[:i], err)
		}
	}
	return samples, nil
}

// metric reads a metric, summed over its labels.
func metric(admin, name string) (float64, error) {
	samples, err := metrics(admin)
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
	for sample, value := range samples {
		if bare, _, _ := strings.Cut(sample, "{"); bare == name {
			sum, found = sum+value, true
		}
	}
	if !found {
		return 0, fmt.Errorf("/metrics has no %s", name)
	}
	return sum, nil
}
