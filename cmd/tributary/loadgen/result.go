package loadgen

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// A Result is what a run measured. Due = Answered + all Errors.
type Result struct {
	URLs              []string          `json:"urls"`
	Rate              float64           `json:"rate"` // asked for, a second
	Connections       int               `json:"connections"`
	Seconds           float64           `json:"seconds"` // from the first request due to the last answer
	Due               uint64            `json:"due"`
	Sent              uint64            `json:"sent"`
	Answered          uint64            `json:"answered"`
	AnsweredPerSecond float64           `json:"answered_per_second"`
	Statuses          map[int]uint64    `json:"statuses"`
	Errors            map[string]uint64 `json:"errors"`
	Latency           Quantiles         `json:"latency_ms"`    // from the intended time to the answer read
	SenderLag         Quantiles         `json:"sender_lag_ms"` // from the intended time to the request written
}

// Quantiles of durations, in milliseconds.
type Quantiles struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

func quantilesOf(h *histogram) Quantiles {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Quantiles{ms(h.quantile(.5)), ms(h.quantile(.9)), ms(h.quantile(.99)), ms(h.quantile(.999)), ms(h.max)}
}

// Failed is how many requests got no answer.
func (r *Result) Failed() uint64 {
	var failed uint64
	for _, n := range r.Errors {
		failed += n
	}
	return failed
}

// WriteTable writes the result for people.
func (r *Result) WriteTable(w io.Writer) {
	fmt.Fprintf(w, "%.0f/s asked for, %.0f/s answered: %d of %d in %.1f s over %d connections\n",
		r.Rate, r.AnsweredPerSecond, r.Answered, r.Due, r.Seconds, r.Connections)
	fmt.Fprintf(w, "\nms            p50      p90      p99    p99.9      max\n")
	r.Latency.writeRow(w, "answer")
	r.SenderLag.writeRow(w, "sent late")
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		fmt.Fprintf(w, "\nstatus %d: %d", status, r.Statuses[status])
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(w, "\nerror %q: %d", kind, r.Errors[kind])
	}
	fmt.Fprintln(w)
	if r.SenderLag.P99 > r.Latency.P99/2 && r.SenderLag.P99 > 5 {
		fmt.Fprintln(w, "\nThe generator itself was late: this machine is too busy to measure more than it sent.")
	}
}

func (q Quantiles) writeRow(w io.Writer, name string) {
	fmt.Fprintf(w, "%-10s %8.3f %8.3f %8.3f %8.3f %8.3f\n", name, q.P50, q.P90, q.P99, q.P999, q.Max)
}
