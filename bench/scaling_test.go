package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tributary/bench/capacity"
)

// The document is what its figures make of it: nothing in it was typed by hand.
func TestScalingPageIsOfItsFigures(t *testing.T) {
	r, err := readReport(filepath.Join("..", figuresFile))
	if err != nil {
		t.Fatal(err)
	}
	want, err := scaling(&r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../docs/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("docs/scaling.md is stale: go run ./bench -scaling docs/scaling.md")
	}
	for _, wrong := range []string{"NaN", "Inf", "<no value>", "%!"} {
		if strings.Contains(string(want), wrong) {
			t.Errorf("the page says %s", wrong)
		}
	}
}

func TestAmountsAreRounded(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.02: "0.02", 0.1234: "0.12", 7.346: "7.35", 33.333: "33.3", 166.67: "167", 3333.3: "3,333",
		166666: "166,700", 1e6: "1 million", 1e7: "10 million", 99_999: "100,000", 12_345: "12,300", 1.5e9: "1,500 million"} {
		if got := amount(v); got != want {
			t.Errorf("%v is shown as %q, want %q", v, got, want)
		}
	}
	if got := size(719_000_000_000_000); got != "719 TB" {
		t.Errorf("719 TB is shown as %q", got)
	}
}

func TestTwoRunsTellRowsFromInserts(t *testing.T) {
	// 3 µs a row and 1,000 µs an insert
	large := shipped{rows: 500_000, inserts: 10, micros: []float64{3*500_000 + 10*1_000}}
	small := shipped{rows: 3_000, inserts: 40, micros: []float64{3*3_000 + 40*1_000}}
	if row, insert := split(large, small, 0); math.Abs(row-3) > 1e-9 || math.Abs(insert-1_000) > 1e-6 {
		t.Errorf("a row costs %v and an insert %v", row, insert)
	}
}

func TestPausesOfACoreAreSeen(t *testing.T) {
	if _, err := pausesOf(0, 1_000_000); err != nil { // a millisecond
		t.Error(err)
	}
	if _, err := pausesOf(1<<10-1, 1_000_000); err == nil {
		t.Error("a core that is not there was watched")
	}
}

// What no cost stands for is not sized: a page without figures is refused.
func TestAPageNeedsEveryCost(t *testing.T) {
	if _, err := scaling(&report{Costs: &capacity.Costs{LinkBytes: 1}}); err == nil || !strings.Contains(err.Error(), "redirect_idle_micros") {
		t.Errorf("a page without costs: %v", err)
	}
}
