package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"tributary/attribution"
	"tributary/ingest/spool"
)

// demoSales are what the shops of the data set reported.
type demoSales struct {
	reports []*attribution.Report
	orders  int
}

// How often things happen, in a thousand valid clicks.
const (
	demoSaleRate    = 34
	demoLeadRate    = 18
	demoUnknownRate = 3 // a sale that names no click
)

// consider draws whether a click led to something, by the present.
func (d *demoSales) consider(random *rand.Rand, link *demoLink, click *attribution.Click, nowMs int64) {
	if click.Verdict != attribution.Valid {
		return
	}
	atMs := click.AtMs + int64(random.ExpFloat64()*6*60*60*1000) + 90_000 // most buy on the same day
	chance := random.IntN(1000)
	if atMs >= nowMs {
		return
	}
	fields := attribution.ReportFields{ClickID: string(click.ID), Event: "sale", CustomerStatus: []string{"new", "new", "returning"}[random.IntN(3)]}
	switch {
	case chance < demoSaleRate:
	case chance < demoSaleRate+demoUnknownRate:
		fields.ClickID = ""
	case chance < demoSaleRate+demoUnknownRate+demoLeadRate && link.currency == "USD":
		fields.Event = "lead"
	default:
		return
	}
	if fields.Event == "sale" {
		fields.Amount, fields.Currency = attribution.Decimal(attribution.FormatMoney(int64(1900+random.IntN(9)*1250+random.IntN(40)*25), link.currency)), link.currency
		if link.code != "" && random.IntN(4) == 0 {
			fields.Code = link.code
			if random.IntN(2) == 0 {
				fields.ClickID = "" // seen in a video, typed at the checkout
			}
		}
	}
	d.add(random, link.AdvertiserID, fields, attribution.Instant(atMs))
}

// add writes a report as the shop's server would have sent it.
func (d *demoSales) add(random *rand.Rand, advertiserID string, fields attribution.ReportFields, at attribution.Instant) {
	d.orders++
	fields.OrderID, fields.EventTime = fmt.Sprintf("%d", 58210+d.orders*3), at
	var unique [10]byte
	for i := range unique {
		unique[i] = byte(random.Uint32())
	}
	d.reports = append(d.reports, &attribution.Report{
		ReceiptID: attribution.MakeID(attribution.PrefixReceipt, int64(at), unique), Kind: attribution.ReportConversion, AdvertiserID: advertiserID,
		Source: attribution.SourceServer, Signed: true, ReceivedAt: at, Fields: fields,
	})
}

// send appends the reports to the spool, in the order they were made.
func (d *demoSales) send(log *spool.Log) error {
	slices.SortFunc(d.reports, func(a, b *attribution.Report) int { return cmp.Compare(a.ReceivedAt, b.ReceivedAt) })
	records := make([][]byte, len(d.reports))
	for i, report := range d.reports {
		var err error
		if records[i], err = attribution.AppendReport(nil, report); err != nil {
			return err
		}
	}
	return log.AppendAll(0, records)
}
