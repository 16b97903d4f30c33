package fields

import (
	"fmt"
	"strconv"

	"tributary/attribution"
)

// pointEvent is the name of what a redirect reports itself: terms with it pay per
// click, and no merchant may report one.
const pointEvent = "click"

// saleEvent is what a refund takes back unless it says otherwise.
const saleEvent = "sale"

// check tests what takes more than one field. What a draft's fields say on their
// own was tested as they were read.
func (d *draft) check() {
	switch {
	case d.report.Refund != nil:
		d.checkRefund()
	case d.report.Landing != nil:
		if d.report.Landing.ClickID == "" {
			d.wrong(CodeMissingField, "click_id", "is required")
		}
	default:
		d.checkConversion()
	}
}

func (d *draft) checkConversion() {
	f := &d.report.Fields
	d.checkEvent(f.Event)
	d.checkOrder(f.OrderID)
	if f.EventTime == 0 {
		f.EventTime = d.report.ReceivedAt
	}
	d.checkMoney()
}

func (d *draft) checkEvent(event string) {
	switch {
	case event == "":
		d.missing("event")
	case !attribution.ValidEventName(event):
		d.wrong(CodeInvalidField, "event", "must be 1 to %d of a-z, 0-9, _ and -, as the terms name it", maxEventBytes)
	case event == pointEvent:
		d.wrong(CodeInvalidField, "event", "clicks are counted by the links themselves and cannot be reported")
	}
}

func (d *draft) checkOrder(orderID string) {
	if orderID == "" {
		d.missing("order_id")
	}
}

// missing says that a field is required, unless it was given and failed.
func (d *draft) missing(name string) {
	for _, p := range d.problems {
		if len(p.text) > len(name) && p.text[:len(name)+1] == name+":" {
			return
		}
	}
	d.wrong(CodeMissingField, name, "is required")
}

// An amountField is an amount of a report under the name it was sent by.
type amountField struct {
	name   string
	amount attribution.Decimal
}

// checkMoney tests every amount in the report's currency. Sums of them, and lines
// of items, stay within what a single amount may be.
func (d *draft) checkMoney() {
	f := &d.report.Fields
	amounts := []amountField{{"amount", f.Amount}, {"discount", f.Discount}, {"tax", f.Tax}, {"shipping", f.Shipping}}
	any := f.Amount != "" || f.Discount != "" || f.Tax != "" || f.Shipping != ""
	for i := range f.Items {
		any = any || f.Items[i].Price != "" || f.Items[i].Discount != ""
	}
	if f.Currency == "" {
		if any {
			d.wrong(CodeMissingField, "currency", "is required with an amount")
		}
		return
	}
	if _, known := attribution.CurrencyExponent(f.Currency); !known {
		d.wrong(CodeCurrency, "currency", "must be an ISO 4217 currency such as USD")
		return
	}
	for _, a := range amounts {
		d.money(a.name, a.amount, f.Currency)
	}
	for i := range f.Items {
		item := &f.Items[i]
		at := "items[" + strconv.Itoa(i) + "]."
		price := d.money(at+"price", item.Price, f.Currency)
		d.money(at+"discount", item.Discount, f.Currency)
		if price > maxLineMinor/max(item.Quantity, 1) {
			d.wrong(CodeInvalidAmount, at+"price", "times the quantity is too much")
		}
	}
}

// maxLineMinor keeps sums of lines far from overflow, as attribution.ParseMoney
// does for amounts.
const maxLineMinor = 1_000_000_000_000_000

func (d *draft) money(name string, amount attribution.Decimal, currency string) (minor int64) {
	if amount == "" {
		return 0
	}
	minor, err := attribution.ParseMoney(amount, currency)
	switch {
	case err != nil:
		d.wrong(CodeInvalidAmount, name, "%v", err)
		return 0
	case minor < 0:
		d.wrong(CodeInvalidAmount, name, "must not be negative")
		return 0
	}
	return minor
}

// checkRefund tests a refund. Its currency is its order's, which only the settler
// knows; the widest there is stands in.
func (d *draft) checkRefund() {
	const widest = "CLF" // four decimals
	f := d.report.Refund
	d.checkOrder(f.OrderID)
	if f.Event == "" {
		f.Event = saleEvent
	}
	d.checkEvent(f.Event)
	if d.money("amount", f.Amount, widest) == 0 && f.Amount != "" && len(d.problems) == 0 {
		d.wrong(CodeInvalidAmount, "amount", "must be above zero; leave it out to refund everything")
	}
	if f.Amount != "" && len(f.Items) > 0 {
		d.wrong(CodeInvalidField, "items", "give an amount or items, not both")
	}
	for i, item := range f.Items {
		at := fmt.Sprintf("items[%d].", i)
		d.money(at+"price", item.Price, widest)
		d.money(at+"discount", item.Discount, widest)
	}
}
