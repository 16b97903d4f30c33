package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// drainPatience is how long everything may take to reach ClickHouse.
func (t *trial) drainPatience() time.Duration {
	if t.short {
		return time.Minute
	}
	return 15 * time.Minute
}

// reckon is the end of an experiment: nobody sends any more, the server serves, and
// what was acknowledged is compared with what is there.
func (t *trial) reckon(ctx context.Context, w *world) error {
	if err := w.server.drained(ctx); err != nil {
		return err
	}
	if err := w.server.copied(ctx); err != nil {
		t.wrong("%v", err)
	}
	t.audit(ctx, w.server)
	if err := t.compare(ctx, w, w.server.unrecorded()); err != nil {
		return err
	}
	t.compareMetrics(ctx, w.server)
	return nil
}

// compare holds what was acknowledged against every place where it must be.
func (t *trial) compare(ctx context.Context, w *world, unrecorded int) error {
	if err := t.compareClicks(w, unrecorded); err != nil {
		return err
	}
	if err := t.compareOrders(w); err != nil {
		return err
	}
	if err := t.compareSums(w); err != nil {
		return err
	}
	return t.compareReports(ctx, w)
}

// drained waits until the spools are empty.
func (s *server) drained(ctx context.Context) error {
	return within(ctx, s.t.drainPatience(), func() error {
		samples, err := metrics(s.admin)
		if err != nil {
			return err
		}
		for sample, value := range samples {
			if value > 0 && strings.HasPrefix(sample, "tributary_spool_records{") {
				return fmt.Errorf("%s is %.0f", sample, value)
			}
		}
		return nil
	})
}

// copied waits until ClickHouse has as many conversions as the ledger, and an action
// of each.
func (s *server) copied(ctx context.Context) error {
	conversions := 0
	if err := s.all("/v1/conversions", func(map[string]any) { conversions++ }); err != nil {
		return err
	}
	return within(ctx, s.t.drainPatience(), func() error {
		copied, err := s.numbers("SELECT count(), (SELECT count() FROM actions FINAL) FROM conversions FINAL")
		if err == nil && (copied[0] < conversions || copied[1] < conversions) {
			err = fmt.Errorf("of %d conversions ClickHouse has %d and %d actions", conversions, copied[0], copied[1])
		}
		return err
	})
}

// rowsAtOnce bounds an answer of ClickHouse.
const rowsAtOnce = 500_000

func (t *trial) compareClicks(w *world, unrecorded int) error {
	c := w.clicks.compare("clicks in ClickHouse")
	total, err := w.server.numbers("SELECT count() FROM clicks")
	if err != nil {
		return err
	}
	for from := 0; from < len(c.seen); from += rowsAtOnce {
		query := fmt.Sprintf("SELECT sub1, click_id FROM clicks WHERE toInt64OrNull(sub1) BETWEEN %d AND %d", from, from+rowsAtOnce-1)
		if err := w.server.rows(query, c); err != nil {
			return err
		}
	}
	c.foreign(total[0] - c.found)
	lost, late := c.lost()
	if unrecorded < late { // a count that died with its process
		t.note("%d clicks were answered after %s and are not there", late, lateAnswer)
		unrecorded = late
	}
	t.result.Unrecorded += unrecorded
	sent, acknowledged := w.clicks.counts()
	t.result.Events += sent
	t.result.Acknowledged += acknowledged
	t.judge(c, lost, unrecorded)
	return nil
}

// rows brings a query's rows, number and answer, into a comparison.
func (s *server) rows(query string, c *comparison) error {
	text, err := s.ask(query)
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		number, answer, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		n, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("%s: %w", query, err)
		}
		c.row(n, answer)
	}
	return nil
}

// compareOrders looks for orders in the ledger, by the API, and in its copy.
func (t *trial) compareOrders(w *world) error {
	sent, acknowledged := w.orders.counts()
	t.result.Events += sent
	t.result.Acknowledged += acknowledged
	ledger := w.orders.compare("orders in the ledger")
	err := w.server.all("/v1/conversions", func(item map[string]any) {
		order, _ := item["order_id"].(string)
		amount, _ := item["amount"].(string)
		ledger.order(order, amount)
	})
	if err != nil {
		return err
	}
	lost, _ := ledger.lost()
	t.judge(ledger, lost, 0)

	copied := w.orders.compare("orders in ClickHouse")
	text, err := w.server.ask("SELECT order_id, amount_minor FROM conversions FINAL")
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		order, minor, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		n, err := strconv.Atoi(minor)
		if err != nil {
			return err
		}
		copied.order(order, fmt.Sprintf("%d.%02d", n/100, n%100))
	}
	lost, _ = copied.lost()
	t.judge(copied, lost, 0)

	actions := w.orders.compare("actions in ClickHouse")
	if text, err = w.server.ask("SELECT order_id FROM actions FINAL"); err != nil {
		return err
	}
	for order := range strings.Lines(text) {
		order = strings.TrimSpace(order)
		actions.order(order, amountOf(orderNumber(order)))
	}
	lost, _ = actions.lost()
	t.judge(actions, lost, 0)
	return nil
}

// order is a row that is named like an order. One whose amount is not that of its
// number was never sent so, answered or not.
func (c *comparison) order(name, amount string) {
	n := orderNumber(name)
	if n >= 0 && amount != amountOf(n) {
		c.row(-1, amount)
		return
	}
	c.row(n, amount)
}

// judge notes what a comparison found. unrecorded is how many losses the product
// itself owned up to.
func (t *trial) judge(c *comparison, lost, unrecorded int) {
	r := t.result
	silent := max(0, lost-unrecorded)
	r.Lost, r.Doubled, r.Invented = r.Lost+silent, r.Doubled+c.doubled, r.Invented+c.invented
	if silent+c.doubled+c.invented > 0 {
		t.wrong("%s: %d lost (and %d unrecorded), %d doubled, %d invented", c.what, silent, min(lost, unrecorded), c.doubled, c.invented)
		for _, example := range c.examples {
			t.say("  %s", example)
		}
	}
}

// compareSums holds rows and the sums made of them against each other.
func (t *trial) compareSums(w *world) error {
	for _, sums := range []string{"clicks_15m", "campaign_clicks_15m"} {
		counts, err := w.server.numbers("SELECT count(), countIf(verdict = 'valid'), countIf(verdict = 'valid' AND is_unique = 1), " +
			"(SELECT sum(hits) FROM " + sums + "), (SELECT sum(clicks) FROM " + sums + "), (SELECT sum(unique_clicks) FROM " + sums + "), (SELECT sum(places) FROM (SELECT groupBitmap(seq) AS places FROM clicks GROUP BY node)) FROM clicks")
		if err != nil {
			return err
		}
		if counts[0] != counts[3] || counts[1] != counts[4] || counts[2] != counts[5] {
			t.wrong("%s has %d hits, %d valid, %d unique; the rows are %d, %d, %d", sums, counts[3], counts[4], counts[5], counts[0], counts[1], counts[2])
		}
		if counts[0] != counts[6] {
			t.wrong("%d clicks have %d places in the spool", counts[0], counts[6])
		}
	}
	return nil
}

// compareReports asks for the figures people see.
func (t *trial) compareReports(ctx context.Context, w *world) error {
	counts, err := w.server.numbers("SELECT count(), countIf(verdict = 'valid'), (SELECT count() FROM actions FINAL), (SELECT sum(amount_minor) FROM actions FINAL) FROM clicks")
	if err != nil {
		return err
	}
	now := time.Now()
	query := url.Values{"from": {now.AddDate(-2, 0, 0).UTC().Format(time.RFC3339)}, "to": {now.AddDate(2, 0, 0).UTC().Format(time.RFC3339)}}
	err = within(ctx, 20*time.Second, func() error {
		report, err := w.server.call(http.MethodGet, "/v1/reports/campaigns?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		rows, _ := report["rows"].([]any)
		if len(rows) != 1 {
			return fmt.Errorf("the report has %d rows", len(rows))
		}
		row, _ := rows[0].(map[string]any)
		for column, want := range map[string]int{"hits": counts[0], "clicks": counts[1], "actions": counts[2]} {
			if got, _ := row[column].(float64); int(got) != want {
				return fmt.Errorf("the report has %s %v, the rows are %d", column, row[column], want)
			}
		}
		if want := fmt.Sprintf("%d.%02d", counts[3]/100, counts[3]%100); row["sale_amount"] != want {
			return fmt.Errorf("the report has sale_amount %v, the actions sum to %s", row["sale_amount"], want)
		}
		return nil
	})
	if err != nil {
		t.wrong("%v", err)
	}
	return ctx.Err()
}

// compareMetrics has /metrics account for everything.
func (t *trial) compareMetrics(ctx context.Context, s *server) {
	err := within(ctx, 30*time.Second, func() error {
		samples, err := metrics(s.admin)
		if err != nil {
			return err
		}
		for _, log := range []string{"clicks", "conversions"} {
			missing, found := samples[`tributary_records_unaccounted{log="`+log+`"}`]
			if !found {
				return fmt.Errorf("/metrics does not account for %s", log)
			}
			received, sum := 0.0, 0.0
			for sample, value := range samples {
				switch {
				case !strings.HasPrefix(sample, `tributary_records{log="`+log+`"`):
				case strings.Contains(sample, `place="received"`):
					received = value
				default:
					sum += value
				}
			}
			if missing != 0 || received != sum {
				return fmt.Errorf("by /metrics %.0f records of %s were received, %.0f are accounted for, %.0f are not", received, log, sum, missing)
			}
		}
		return nil
	})
	if err != nil {
		t.wrong("%v", err)
	}
}

// audit asks the product whether its books agree.
func (t *trial) audit(ctx context.Context, s *server) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	args := append([]string{"audit", "--data", s.inside(), "--engine-library", t.library}, s.flags...)
	cmd := exec.CommandContext(ctx, t.binary, args...)
	cmd.Dir = t.dir
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		t.wrong("tributary audit exits with %d:\n%s", exit.ExitCode(), said)
	case err != nil:
		t.wrong("tributary audit: %v", err)
	case !strings.Contains(string(said), "the books agree"):
		t.wrong("tributary audit says:\n%s", said)
	}
}
