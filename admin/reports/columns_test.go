package reports

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"tributary/admin"
)

// promised are the columns the product promises, by name.
const promised = `hits clicks unique_clicks invalid_clicks invalid_test invalid_probe invalid_prefetch invalid_preview invalid_bot invalid_datacenter
	invalid_rate conversions actions actions_held actions_pending actions_locked actions_payable actions_paid actions_reversed link_actions
	code_actions sale_amount reversed_amount average_order payout payout_held payout_pending payout_locked payout_payable payout_paid
	payout_reversed cost task_payout posts views likes shares comments engagements engagement_rate conversion_rate epc cpa roas reversal_rate
	new_customer_rate`

func TestEveryPromisedColumnAndGroupingIsThere(t *testing.T) {
	names := Columns()
	for name := range strings.FieldsSeq(promised) {
		if !slices.Contains(names, name) {
			t.Errorf("there is no column %s", name)
		}
	}
	for name := range strings.FieldsSeq("campaign platform creator task post link code event country device os referrer hour day week month currency observed_platform") {
		if _, known := dimensionNamed(name); !known {
			t.Errorf("there is no grouping %s", name)
		}
	}
	for _, c := range Definitions() {
		if c.Definition == "" || c.Unit == "" || c.knownOf() == 0 {
			t.Errorf("%s is not defined", c.Name)
		}
	}
}

func TestColumnsAreDescribedOverTheAPI(t *testing.T) {
	o := newOffice(t)
	response, body := o.get(o.crtKey, "/v1/reports/columns")
	var answer struct {
		Columns   []ColumnInfo
		Groupings []GroupingInfo
	}
	must(t, json.Unmarshal(body, &answer))
	if response.StatusCode != 200 || len(answer.Columns) != len(Columns()) || len(answer.Groupings) != len(Dimensions()) {
		t.Errorf("status %d, %d columns, %d groupings", response.StatusCode, len(answer.Columns), len(answer.Groupings))
	}
	document, err := admin.OpenAPI(Routes(nil, nil, nil, nil))
	must(t, err)
	for _, c := range Definitions() {
		definition, err := json.Marshal(c.describe())
		must(t, err)
		if !bytes.Contains(document, definition) {
			t.Errorf("the OpenAPI document does not say what %s is", c.Name)
		}
	}
}

// Fewer columns are the same figures.
func TestAskedColumnsAreTheSameFigures(t *testing.T) {
	o := newOffice(t)
	_, all := o.get(o.adminKey, "/v1/reports/campaigns")
	for _, columns := range []string{"hits", "payout", "views", "epc,hits", "conversions", "new_customer_rate,engagement_rate"} {
		_, some := o.get(o.adminKey, "/v1/reports/campaigns?columns="+columns)
		var full, asked struct{ Rows []map[string]any }
		must(t, json.Unmarshal(all, &full))
		must(t, json.Unmarshal(some, &asked))
		if len(asked.Rows) > 0 && len(asked.Rows[0]) != 2+len(strings.Split(columns, ",")) {
			t.Errorf("%s: the row is %v", columns, asked.Rows[0])
		}
		for _, row := range asked.Rows {
			for name, value := range row {
				if full.Rows[0][name] != value {
					t.Errorf("%s: %s is %v, and %v among all", columns, name, value, full.Rows[0][name])
				}
			}
		}
	}
}

func TestTheReferenceIsUpToDate(t *testing.T) {
	var want bytes.Buffer
	must(t, WriteReference(&want))
	got, err := os.ReadFile("../../docs/reports.md")
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("docs/reports.md is stale, run 'make docs' (%v)", err)
	}
}
