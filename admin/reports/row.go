package reports

import (
	"github.com/danielgtaylor/huma/v2"

	"tributary/attribution"
)

// comparedPeriods are the two periods of a report that compares.
type comparedPeriods struct {
	From         attribution.Instant `json:"from" doc:"Of this period; the previous one ends with it"`
	To           attribution.Instant `json:"to"`
	PreviousFrom attribution.Instant `json:"previous_from"`
}

// A reportRow is a row of an answer: what it was grouped by, its currency, and its
// figures; with compare also previous and change.
type reportRow map[string]any

func fieldsOf(report *Report, row *Row, groupings []Dimension) reportRow {
	fields := reportRow{"currency": row.Currency}
	for i, d := range groupings {
		fields[d.Field] = row.Keys[i]
		if d.ordered && row.Keys[i] == "" {
			fields[d.Field] = nil
		}
	}
	for _, c := range report.Columns {
		fields[c.Name] = report.Value(row, c.Name)
	}
	if row.Previous == nil {
		return fields
	}
	previous, change := reportRow{}, reportRow{}
	for i, d := range groupings {
		if d.ordered {
			previous[d.Field] = nil
			if len(row.Previous.Keys) > 0 {
				previous[d.Field] = row.Previous.Keys[i]
			}
		}
	}
	for _, c := range report.Columns {
		previous[c.Name], change[c.Name] = report.Value(row.Previous, c.Name), report.Change(row, c.Name)
	}
	fields["previous"], fields["change"] = previous, change
	return fields
}

// Schema describes every field a row can have.
func (reportRow) Schema(huma.Registry) *huma.Schema {
	figures, changes := map[string]*huma.Schema{}, map[string]*huma.Schema{}
	for _, c := range Definitions() {
		figures[c.Name] = c.schema()
		changes[c.Name] = nullable(huma.TypeString, "A rate: 0.2500 is a quarter more")
	}
	properties := map[string]*huma.Schema{
		"previous": {Type: huma.TypeObject, Properties: figures, Description: "With compare: the figures of the same row in the period before, and its times"},
		"change":   {Type: huma.TypeObject, Properties: changes, Description: "With compare: by how much of the previous figure each has grown; null where that was nothing"},
	}
	for name, figure := range figures {
		properties[name] = figure
	}
	for _, d := range dimensions {
		kind := huma.TypeString
		properties[d.Field] = &huma.Schema{Type: kind, Description: d.Definition}
		if d.ordered {
			properties[d.Field] = nullable(kind, d.Definition+" With compare: null in a row of the period before that this one has no such step for")
		}
	}
	return &huma.Schema{Type: huma.TypeObject, Properties: properties, Required: []string{"currency"}, AdditionalProperties: false}
}

func (c *Column) schema() *huma.Schema {
	kind := huma.TypeString
	if c.Unit == Count {
		kind = huma.TypeInteger
	}
	return nullable(kind, c.describe())
}

func nullable(kind, description string) *huma.Schema {
	return &huma.Schema{Type: kind, Nullable: true, Description: description}
}
