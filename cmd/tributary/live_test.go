package main

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A click shows in the live stream within seconds, and the stream ends with the
// app instead of holding it up.
func TestLiveFromTheClickToTheStream(t *testing.T) {
	t.Parallel()
	a := startTestApp(t, testOptions(t, t.TempDir()))
	link := a.makeLink()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.adminListener.Addr().String()+"/v1/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+a.key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(response.Body); s.Scan(); {
			lines <- s.Text()
		}
	}()
	await := func(what string) time.Duration {
		t.Helper()
		began, patience := time.Now(), time.After(30*time.Second)
		for {
			select {
			case line, open := <-lines:
				if !open {
					t.Fatalf("the stream ended before %s came", what)
				}
				if strings.Contains(line, what) {
					return time.Since(began)
				}
			case <-patience:
				t.Fatalf("%s did not come", what)
			}
		}
	}
	await("event: ready")
	a.clicked(link, phone)
	took := await(link["id"].(string))
	t.Logf("the click was told after %v", took)
	began := time.Now()
	if err := a.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > a.options.ShutdownTimeout/2 {
		t.Errorf("an open stream held the stop up for %v", took)
	}
	for range lines { // until the stream has ended
	}
}
