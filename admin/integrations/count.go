package integrations

import (
	"context"
	"log/slog"
	"time"

	"tributary/admin/events"
	"tributary/attribution"
	"tributary/catalog"
	"tributary/ledger"
	"tributary/schema/database"
)

// Options are what a Service is made of.
type Options struct {
	DB     *database.DB
	Things Things
	Now    func() time.Time // time.Now by default
	Log    *slog.Logger
}

// Things finds advertisers as a scope may see them.
type Things interface {
	Advertiser(ctx context.Context, scope catalog.Scope, id string) (catalog.Advertiser, error)
}

// A Service counts reports and says how integrations are doing.
type Service struct {
	o      Options
	tidied time.Time // used by Take's keeps alone, one at a time
}

// New makes a Service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{o: o}
}

// The outcomes of reports.
const (
	accepted     = "accepted"
	unattributed = "unattributed"
	quarantined  = "quarantined"
)

// A cell is what is counted together.
type cell struct {
	advertiserID, source string
	hourMs               int64
	outcome, code        string
}

// A way is one way in of one advertiser.
type way struct{ advertiserID, source string }

type sighting struct{ firstMs, acceptedMs, refusedMs int64 }

const (
	hourMs      = int64(time.Hour / time.Millisecond)
	keepHours   = 35 * 24 * time.Hour
	tidyEvery   = time.Hour
	maxCodeText = 64
)

// Take implements events.Sink: it counts what became of reports.
func (s *Service) Take(_ context.Context, happened []events.Event) (keep func(context.Context, *database.Tx) error, err error) {
	counts, seen := map[cell]int64{}, map[way]sighting{}
	for i := range happened {
		e := &happened[i]
		source, outcome, code, counted := reportOf(e)
		if !counted || e.AdvertiserID == "" {
			continue
		}
		at := int64(e.At)
		counts[cell{e.AdvertiserID, source, at - at%hourMs, outcome, code}]++
		w := way{e.AdvertiserID, source}
		saw, known := seen[w]
		if !known {
			saw.firstMs = at
		}
		if outcome == quarantined {
			saw.refusedMs = max(saw.refusedMs, at)
		} else {
			saw.acceptedMs = max(saw.acceptedMs, at)
		}
		seen[w] = saw
	}
	if len(counts) == 0 {
		return nil, nil
	}
	return func(ctx context.Context, tx *database.Tx) error { return s.keep(ctx, tx, counts, seen) }, nil
}

// Kept implements events.Sink.
func (*Service) Kept() {}

// reportOf reads what an event says of a report.
func reportOf(e *events.Event) (source, outcome, code string, counted bool) {
	switch m := e.Message.(type) {
	case ledger.ConversionEvent:
		if m.Verb != ledger.Accepted {
			return "", "", "", false
		}
		if !m.Conversion.Attributed {
			return m.Conversion.Source, unattributed, m.Conversion.Reason, true
		}
		return m.Conversion.Source, accepted, "", true
	case ledger.QuarantineEvent:
		return m.Source, quarantined, m.Code[:min(len(m.Code), maxCodeText)], true
	}
	return "", "", "", false
}

func (s *Service) keep(ctx context.Context, tx *database.Tx, counts map[cell]int64, seen map[way]sighting) error {
	for c, n := range counts {
		if _, err := tx.Exec(ctx, "integration.count", c.advertiserID, c.source, c.hourMs, c.outcome, c.code, n); err != nil {
			return err
		}
	}
	for w, saw := range seen {
		if _, err := tx.Exec(ctx, "integration.saw", w.advertiserID, w.source, saw.firstMs, saw.acceptedMs, saw.refusedMs); err != nil {
			return err
		}
	}
	if now := s.o.Now(); now.Sub(s.tidied) >= tidyEvery || now.Before(s.tidied) {
		s.tidied = now
		_, err := tx.Exec(ctx, "integration.forget", now.Add(-keepHours).UnixMilli())
		return err
	}
	return nil
}

// ways are the ways in: their names, the sources reports have, and what the reports
// are called.
var ways = [...]struct{ name, source, reports string }{
	{"pixel", attribution.SourcePixel, "pixel conversions"},
	{"tag", attribution.SourceTag, "tag conversions"},
	{"server", attribution.SourceServer, "server reports"},
	{"postback", attribution.SourcePostback, "postbacks"},
	{"csv", attribution.SourceImport, "imported lines"},
}
