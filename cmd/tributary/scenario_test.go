package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A scenario is a worked example of the attribution and money rules; the README
// beside the files says what its parts mean.
type scenario struct {
	Name, Why, Start string

	Advertiser                               map[string]any
	Campaigns, Creators, Tasks, Links, Codes map[string]map[string]any
	Participations                           []map[string]any
	Steps                                    []scenarioStep
}

// A scenarioStep does one thing: the one that is given.
type scenarioStep struct {
	Click, As, UA    string
	Advance          string
	Convert          map[string]any
	Budget           map[string]any
	Reverse, Approve map[string]any
	PayTask          map[string]any `json:"pay_task"`
	Expect           *expectation
}

// An expectation is all that the server should say at one point of a scenario.
type expectation struct {
	Actions      map[string][]map[string]any
	Unattributed map[string][]string
	Campaigns    map[string]map[string]any
	Payable      map[string]string
}

// TestScenarios plays every scenario against a server of its own: a clock that
// only moves forward cannot be shared.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			playScenario(t, readScenario(t, file))
		})
	}
}

func readScenario(t *testing.T, file string) *scenario {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields() // a step nobody plays would pass
	s := new(scenario)
	if err := decoder.Decode(s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s
}
