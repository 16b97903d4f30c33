package attribution

// A Conversion is what a merchant reported, as attribution needs it. Amounts are
// minor units of Currency.
type Conversion struct {
	AdvertiserID    string
	Event           string
	OrderID         string
	AmountMinor     int64
	TaxMinor        int64
	ShippingMinor   int64
	Currency        string // empty: reported without an amount
	Items           []Item
	Country         string
	Code            string
	CustomerStatus  string // new, returning or empty
	CustomerID      string // keyed hash; empty: not given
	CustomerBought  bool   // the customer id has an earlier sale
	ForcedCreatorID string
	Signed          bool
	EventTime       Instant
	ReceivedAt      Instant
}

// An Item is one line of an order.
type Item struct {
	SKU           string
	Name          string
	Category      string
	Quantity      int64
	PriceMinor    int64 // per unit
	DiscountMinor int64 // of the line
}

// BaseMinor is what commission is paid on: the amount without tax and shipping,
// never below zero.
func (c *Conversion) BaseMinor() int64 { return max(0, c.AmountMinor-c.TaxMinor-c.ShippingMinor) }

// customerIsNew reports whether the customer is known to be new; unknown is not.
func (c *Conversion) customerIsNew() bool {
	if c.CustomerStatus != "" {
		return c.CustomerStatus == "new"
	}
	return c.CustomerID != "" && !c.CustomerBought
}

// scheduleFrom is where lock_at counts from: the event, or the arrival of a
// report more than a day late.
func (c *Conversion) scheduleFrom() Instant {
	const day = 24 * 60 * 60 * 1000
	if c.ReceivedAt-c.EventTime > day {
		return c.ReceivedAt
	}
	return c.EventTime
}
