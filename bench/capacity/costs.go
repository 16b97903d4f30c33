package capacity

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Costs are what pieces of work were measured to cost. Micros are microseconds of
// one core's time, unless they are said to be of the clock.
type Costs struct {
	// The tracker. A redirect is cheaper the busier its core is: requests that
	// arrive together are read together.
	RedirectIdleMicros float64 `json:"redirect_idle_micros"` // at RedirectIdlePerSecond, its durable record included
	RedirectIdleRate   float64 `json:"redirect_idle_per_second"`
	RedirectBusyMicros float64 `json:"redirect_busy_micros"` // on a core that does nothing else and never waits
	TakeMicros         float64 `json:"take_micros"`          // a conversion taken, one by one
	TakeArrayMicros    float64 `json:"take_array_micros"`    // one of an array of a thousand

	// From the spool into ClickHouse: a click's part, and what each insert costs
	// however small it is.
	ShipRowMicros     float64 `json:"ship_row_micros"`
	ShipInsertMicros  float64 `json:"ship_insert_micros"`
	StoreRowMicros    float64 `json:"store_row_micros"` // ClickHouse's: rows, rollups, and merges
	StoreInsertMicros float64 `json:"store_insert_micros"`
	ShipMostPerSecond float64 `json:"ship_most_per_second"` // by one shipper with all it asks for at hand

	// A conversion settled and told. The writer's micros are of the clock: who
	// settles holds the one lock of all writers for as long.
	SettleSQLiteMicros   float64 `json:"settle_sqlite_micros"`
	WriterSQLiteMicros   float64 `json:"writer_sqlite_micros"`
	SettlePostgresMicros float64 `json:"settle_postgres_micros"` // the settler's own
	PostgresMicros       float64 `json:"postgres_micros"`        // PostgreSQL's
	WriterPostgresMicros float64 `json:"writer_postgres_micros"`
	CopyMicros           float64 `json:"copy_micros"`       // outbox to ClickHouse, the admin's
	CopyStoreMicros      float64 `json:"copy_store_micros"` // ClickHouse's

	// A report over ReportClicks clicks.
	ReportMicros      float64 `json:"report_micros"`
	ReportStoreMicros float64 `json:"report_store_micros"`
	ReportClicks      float64 `json:"report_clicks"`

	// Redis: the window of a shipped click, and a change of a link. The client's
	// micros are what a click costs a shipper more than without Redis.
	WindowMicros       float64 `json:"window_micros"`
	WindowClientMicros float64 `json:"window_client_micros"`
	ChangeMicros       float64 `json:"change_micros"`

	// Bytes, of one of each.
	SpoolClickBytes       float64 `json:"spool_click_bytes"`
	StoredClickBytes      float64 `json:"stored_click_bytes"`     // clicks' table on disk, merged
	SpoolConversionBytes  float64 `json:"spool_conversion_bytes"` // as reported, on disk until it is settled
	SQLiteBytes           float64 `json:"sqlite_bytes"`           // a settled conversion with its action and entries
	PostgresBytes         float64 `json:"postgres_bytes"`
	StoredConversionBytes float64 `json:"stored_conversion_bytes"` // in ClickHouse
	RedirectInBytes       float64 `json:"redirect_in_bytes"`       // a request as a browser sends it, without TLS
	RedirectOutBytes      float64 `json:"redirect_out_bytes"`
	InsertClickBytes      float64 `json:"insert_click_bytes"` // shipper to ClickHouse, not compressed
	InsertConversionBytes float64 `json:"insert_conversion_bytes"`
	SettleWireBytes       float64 `json:"settle_wire_bytes"` // settler and PostgreSQL, both ways
	WindowWireBytes       float64 `json:"window_wire_bytes"` // shipper and Redis, both ways
	WindowBytes           float64 `json:"window_bytes"`      // Redis's memory of a visitor on a link
	RedisLinkBytes        float64 `json:"redis_link_bytes"`
	LinkBytes             float64 `json:"link_bytes"` // a tracker's memory of a link

	// Memory of a tracker, without files it has mapped, which the system may take back:
	// at rest, without an embedded ClickHouse, and behind a spool that was full. And the
	// most the embedded ClickHouse ever had meanwhile, its library's pages included.
	TrackerMemoryBytes float64 `json:"tracker_memory_bytes"`
	LoadedMemoryBytes  float64 `json:"loaded_memory_bytes"`
	EngineMemoryBytes  float64 `json:"engine_memory_bytes"`

	// The machine it was measured on, of the clock but for the generator's cost, and
	// the load: for predictions of what is measured there.
	FsyncMicros     float64 `json:"fsync_micros"`
	RoundTripMicros float64 `json:"round_trip_micros"` // a redirect, nothing else going on
	GeneratorMicros float64 `json:"generator_micros"`  // a request of loadgen
	ServerPauses    Pauses  `json:"server_pauses"`     // what the machine takes from a thread that wants to run
	GeneratorPauses Pauses  `json:"generator_pauses"`
	Links           float64 `json:"links"`    // clicked in the load
	Visitors        float64 `json:"visitors"` // who clicked
}

// Pauses are times a thread that wanted to run did not: how often, and the
// quantiles of how long, from the shortest to the longest.
type Pauses struct {
	PerSecond float64   `json:"per_second"`
	Micros    []float64 `json:"micros"`
}

// Check says which costs are missing or cannot be.
func (c *Costs) Check() error {
	var wrong []error
	value := reflect.ValueOf(c).Elem()
	for i := range value.NumField() {
		if field := value.Field(i); field.Kind() == reflect.Float64 && !(field.Float() > 0) {
			wrong = append(wrong, fmt.Errorf("%s is %v: it must be more than 0", value.Type().Field(i).Tag.Get("json"), field.Float()))
		}
	}
	return errors.Join(wrong...)
}

// A Figure is one of the costs, as reports show it.
type Figure struct {
	Name, Unit string
	Value      float64
}

// Figures are all costs that are single numbers.
func (c *Costs) Figures() (figures []Figure) {
	value := reflect.ValueOf(c).Elem()
	for i := range value.NumField() {
		if value.Field(i).Kind() != reflect.Float64 {
			continue
		}
		name, unit := value.Type().Field(i).Tag.Get("json"), ""
		for suffix, of := range map[string]string{"_micros": "µs", "_bytes": "B", "_per_second": "/s"} {
			if short, found := strings.CutSuffix(name, suffix); found {
				name, unit = short, of
			}
		}
		figures = append(figures, Figure{strings.ReplaceAll(name, "_", " "), unit, value.Field(i).Float()})
	}
	return figures
}

// RedirectMicros is what a redirect costs on a core of which redirects use a share,
// between the two loads it was measured at.
func (c *Costs) RedirectMicros(share float64) float64 {
	idle := c.RedirectIdleRate * c.RedirectIdleMicros / 1e6
	part := min(max((share-idle)/(1-idle), 0), 1)
	return c.RedirectIdleMicros + part*(c.RedirectBusyMicros-c.RedirectIdleMicros)
}

// redirectShare is the share of a core that redirects use at a rate, 1 at most: the
// one at which rate and cost agree. Cost falls in a straight line with the share, so
// it is the root of one linear equation.
func (c *Costs) redirectShare(perSecond float64) float64 {
	idle := c.RedirectIdleRate * c.RedirectIdleMicros / 1e6
	r := perSecond / 1e6
	if share := r * c.RedirectIdleMicros; share <= idle {
		return share
	}
	slope := (c.RedirectBusyMicros - c.RedirectIdleMicros) / (1 - idle)
	return min(r*(c.RedirectIdleMicros-slope*idle)/(1-r*slope), 1)
}
