package fleet

import (
	"strings"
	"testing"

	"tributary/fleet/redistest"
)

func TestExamine(t *testing.T) {
	s := redistest.Start(t)
	h, err := Examine(t.Context(), []string{s.URL()})
	if err != nil || h.Servers != 1 || h.Version == "" || h.RoundTrip == 0 || len(h.Problems) != 0 {
		t.Errorf("a server is %+v: %v", h, err)
	}
	s.Do("CONFIG", "SET", "maxmemory", "100mb")
	s.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	replica := redistest.StartReplica(t, s)
	for address, want := range map[string]string{s.URL(): "noeviction", replica.URL(): "replica"} {
		if h, err := Examine(t.Context(), []string{address}); err != nil || len(h.Problems) != 1 || !strings.Contains(h.Problems[0], want) {
			t.Errorf("%+v: %v", h, err)
		}
	}
	s.Kill()
	if _, err := Examine(t.Context(), []string{s.URL()}); err == nil {
		t.Error("a server that is away is fine")
	}
	for version, want := range map[string]bool{"7.0.15": false, "6.2.0": false, "6.0.9": true, "5.9": true, "unknown": false} {
		if isOlder(version) != want {
			t.Errorf("%s is older: %v", version, !want)
		}
	}
}
