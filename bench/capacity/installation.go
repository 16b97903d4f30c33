package capacity

// An Installation is how many machines of what, or one machine for everything.
type Installation struct {
	Trackers, TrackerCores int // cores of each
	Shards, ShardCores     int // ClickHouse's, each on a machine of its own
	DatabaseCores          int // PostgreSQL's; 0: SQLite, on the tracker
	AdminCores             int
	RedisMasters           int // each works on one core; 0: there is none

	// Together puts everything on the first tracker's cores, as `make run` does.
	Together bool
}

// OneMachine is a machine with everything embedded.
func OneMachine(cores int) Installation {
	return Installation{Trackers: 1, TrackerCores: cores, Shards: 1, Together: true}
}

// A Load is what arrives each second.
type Load struct {
	Clicks, Conversions float64
	Reports, Changes    float64
}

func (l Load) times(n float64) Load {
	l.Clicks *= n
	l.Conversions *= n
	return l
}

// A Part is something that can have no time left.
type Part int

// The parts, in the order in which a click meets them.
const (
	Trackers   Part = iota // cores of trackers: redirects and taking first, then settling and shipping
	Shippers               // one pipeline for each tracker, of the clock
	ClickHouse             // cores of all shards
	Writer                 // the one lock all writers of money take, of the clock
	Database               // PostgreSQL's cores
	Admins                 // cores: the copy to ClickHouse, reports
	Redis                  // one core of each master
	parts
)

// String is the part as the document calls it.
func (p Part) String() string {
	return [parts]string{"tracker cores", "shippers", "ClickHouse cores", "the writer of money", "PostgreSQL cores", "admin cores", "Redis"}[p]
}

// What shippers do (package ingest): a batch each interval, or as large as it may be.
const (
	shipInterval = 0.3 // s
	shipBatch    = 50_000
)

// insertsPerSecond of one shipper that has so many rows a second.
func insertsPerSecond(rows float64) float64 {
	return max(rows/shipBatch, min(1/shipInterval, rows))
}

// A demand is what a load asks of each part, in seconds of its time each second,
// and apart from it what of that redirects and taking conversions ask of trackers.
type demand struct {
	parts [parts]float64
	first float64
}

// demandOf is for a load that all trackers share evenly.
func (i Installation) demandOf(c *Costs, load Load) demand {
	var d demand
	trackers := float64(i.Trackers)
	perCore := load.Clicks / (trackers * float64(i.TrackerCores))
	share := c.redirectShare(perCore)
	d.first = (load.Clicks*c.RedirectMicros(share) + load.Conversions*c.TakeMicros) / 1e6
	inserts := trackers * insertsPerSecond(load.Clicks/trackers)
	ship := load.Clicks*i.shipRowMicros(c) + inserts*c.ShipInsertMicros
	settle, writer := i.settling(c)
	if i.DatabaseCores > 0 {
		d.parts[Database] = load.Conversions * c.PostgresMicros / 1e6
	}
	d.parts[Trackers] = d.first + (ship+load.Conversions*settle)/1e6
	d.parts[Shippers] = load.Clicks / c.ShipMostPerSecond
	d.parts[Writer] = load.Conversions * writer / 1e6
	d.parts[ClickHouse] = (load.Clicks*c.StoreRowMicros + inserts*c.StoreInsertMicros + load.Conversions*c.CopyStoreMicros +
		load.Reports*c.ReportStoreMicros) / 1e6
	d.parts[Admins] = (load.Conversions*c.CopyMicros + load.Reports*c.ReportMicros) / 1e6
	if i.RedisMasters > 0 {
		d.parts[Redis] = (load.Clicks*c.WindowMicros + load.Changes*c.ChangeMicros) / 1e6
	}
	if i.Together {
		d.parts[Trackers] += d.parts[ClickHouse] + d.parts[Admins]
		d.parts[ClickHouse], d.parts[Admins] = 0, 0
	}
	return d
}

// RedirectShare is how much of trackers' cores redirects use at a rate.
func (i Installation) RedirectShare(c *Costs, perSecond float64) float64 {
	return c.redirectShare(perSecond / float64(i.Trackers*i.TrackerCores))
}

func (i Installation) shipRowMicros(c *Costs) float64 {
	if i.RedisMasters > 0 {
		return c.ShipRowMicros + c.WindowClientMicros
	}
	return c.ShipRowMicros
}

// settling is what a conversion costs its settler, and how long it holds the writer.
func (i Installation) settling(c *Costs) (settlerMicros, writerMicros float64) {
	if i.DatabaseCores > 0 {
		return c.SettlePostgresMicros, c.WriterPostgresMicros
	}
	return c.SettleSQLiteMicros, c.WriterSQLiteMicros
}

// has is how many seconds of each part's time there are in a second.
func (i Installation) has() [parts]float64 {
	return [parts]float64{
		Trackers: float64(i.Trackers * i.TrackerCores), Shippers: float64(i.Trackers), ClickHouse: float64(i.Shards * i.ShardCores),
		Writer: 1, Database: float64(i.DatabaseCores), Admins: float64(i.AdminCores), Redis: float64(i.RedisMasters),
	}
}

// Use is the share of its time that each part the installation has is busy with a
// load; more than 1 cannot be borne.
func (i Installation) Use(c *Costs, load Load) map[Part]float64 {
	use := map[Part]float64{}
	d, has := i.demandOf(c, load), i.has()
	for p := range parts {
		if has[p] > 0 {
			use[p] = d.parts[p] / has[p]
		}
	}
	return use
}
