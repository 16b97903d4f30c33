package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// TestServerRecipes runs the clients of docs/recipes/server-to-server.md against a
// tracker that is busy at first: each asks again, signed anew, and its order counts
// once. A refusal is not repeated.
func TestServerRecipes(t *testing.T) {
	a := startTestApp(t, rehearsalOptions(t))
	link := a.makeLink()
	secret := a.call(http.MethodPost, "/v1/advertisers/"+link["advertiser_id"].(string)+"/secrets", map[string]any{"kind": "hmac"}, http.StatusCreated)
	folder, err := filepath.Abs("../../docs/recipes/server-to-server")
	if err != nil {
		t.Fatal(err)
	}
	for name, client := range map[string]struct{ command, install string }{
		"python": {"python3 " + folder + "/report.py", "'apt-get install python3' or 'brew install python'"},
		"node":   {"node " + folder + "/report.mjs", "'apt-get install nodejs' or 'brew install node'"},
		"php":    {"php " + folder + "/report.php", "'apt-get install php-cli' or 'brew install php'"},
		"go":     {"go run " + folder, "https://go.dev/dl/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(client.command)
			if _, err := exec.LookPath(words[0]); err != nil {
				t.Fatalf("%s is missing. Install it: %s", words[0], client.install)
			}
			tracker := &url.URL{Scheme: "http", Host: a.trackerListener.Addr().String()}
			forward := httputil.NewSingleHostReverseProxy(tracker)
			var asked atomic.Int32
			busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) == 1 {
					w.Header().Set("Retry-After", "1")
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				forward.ServeHTTP(w, r)
			}))
			defer busy.Close()
			report := func(key, body string) (string, error) {
				command := exec.CommandContext(t.Context(), words[0], words[1:]...)
				command.Env = append(os.Environ(), "TRIBUTARY_URL="+busy.URL, "TRIBUTARY_SECRET_ID="+secret["id"].(string), "TRIBUTARY_SECRET="+key)
				command.Stdin = strings.NewReader(body)
				var said bytes.Buffer
				command.Stderr = &said
				answer, err := command.Output()
				return string(answer) + said.String(), err
			}
			order := `{"event":"sale","order_id":"` + name + `-1","amount":"49.90","currency":"USD"}`
			answer, err := report(secret["secret"].(string), order)
			var results []resultOfRecipe
			if err != nil || json.Unmarshal([]byte(answer), &results) != nil || len(results) != 1 || results[0].Status != "accepted" || asked.Load() != 2 {
				t.Errorf("asked %d times, answered %s (%v)", asked.Load(), answer, err)
			}
			if answer, err := report("another secret", order); err == nil || !strings.Contains(answer, "401") || asked.Load() != 3 {
				t.Errorf("with another secret it asked %d times in all: %s (%v)", asked.Load(), answer, err)
			}
		})
	}
}

type resultOfRecipe struct{ Status string }
