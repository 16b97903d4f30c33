package ledger

import (
	"strings"

	"tributary/attribution"
)

// Why a report is in quarantine, beside attribution.CodeValidation and the codes
// of intake.
const (
	CodeAdvertiserUnknown = "advertiser_unknown"
	CodeEventTimeFuture   = "event_time_future"
	CodeCreatorUnknown    = "creator_unknown" // forced, and without a task that could be credited
	CodeOrderConflict     = "order_conflict"
	CodeOrderUnknown      = "order_unknown"
	CodeRefundExceeds     = "refund_exceeds_order"
	CodeUnreadable        = "unreadable"
	CodeUnsettleable      = "unsettleable"
)

// maxAheadMs is how far in the future an event may lie: clocks differ.
const maxAheadMs = 5 * 60 * 1000

// conversionOf reads a report's conversion, or says every field that cannot be
// taken.
func conversionOf(report *attribution.Report) (*attribution.Conversion, error) {
	f := &report.Fields
	c := &attribution.Conversion{
		AdvertiserID: report.AdvertiserID, Event: f.Event, OrderID: f.OrderID, Currency: strings.ToUpper(f.Currency), Country: f.Country,
		Code: strings.TrimSpace(f.Code), CustomerStatus: f.CustomerStatus, CustomerID: f.CustomerID, ForcedCreatorID: f.CreatorID,
		Signed: report.Signed, EventTime: f.EventTime, ReceivedAt: report.ReceivedAt,
	}
	var check attribution.Checker
	check.Require(f.Event != "", "event", "is required")
	check.Require(f.OrderID != "" && len(f.OrderID) <= attribution.MaxOrderIDBytes, "order_id", "is required, at most %d bytes", attribution.MaxOrderIDBytes)
	check.Require(len(f.ClickIDs) <= attribution.MaxClickIDs, "click_ids", "must be at most %d", attribution.MaxClickIDs)
	check.Require(len(f.Items) <= attribution.MaxItems, "items", "must be at most %d", attribution.MaxItems)
	check.Require(f.CustomerStatus == "" || f.CustomerStatus == "new" || f.CustomerStatus == "returning", "customer_status", "must be new or returning")
	money := func(location string, amount attribution.Decimal) int64 {
		if amount == "" {
			return 0
		}
		minor, err := attribution.ParseMoney(amount, c.Currency)
		if err != nil {
			check.Add(location, "%v", err)
		}
		check.Require(minor >= 0, location, "must not be negative")
		return minor
	}
	if f.Amount != "" && c.Currency == "" {
		check.Add("currency", "is required with an amount")
	} else {
		c.AmountMinor, c.TaxMinor, c.ShippingMinor = money("amount", f.Amount), money("tax", f.Tax), money("shipping", f.Shipping)
		for _, item := range f.Items[:min(len(f.Items), attribution.MaxItems)] {
			line := attribution.Item{SKU: item.SKU, Name: item.Name, Category: item.Category, Quantity: item.Quantity,
				PriceMinor: money("items.price", item.Price), DiscountMinor: money("items.discount", item.Discount)}
			if line.Quantity == 0 {
				line.Quantity = 1
			}
			check.Require(line.Quantity > 0 && line.PriceMinor <= maxLineMinor/max(line.Quantity, 1), "items.quantity", "must be 1 or more, and a line's price × quantity an amount")
			c.Items = append(c.Items, line)
		}
	}
	if f.Amount == "" {
		c.Currency = "" // without an amount there is nothing to convert
	}
	if err := check.Err(); err != nil {
		return nil, err
	}
	if c.EventTime == 0 {
		c.EventTime = c.ReceivedAt
	}
	if c.EventTime > c.ReceivedAt+maxAheadMs {
		return nil, attribution.Refuse(CodeEventTimeFuture, "event_time %s is more than 5 minutes after the report was received", c.EventTime)
	}
	return c, nil
}

// maxLineMinor bounds price × quantity of a line as ParseMoney does amounts.
const maxLineMinor = 1_000_000_000_000_000
