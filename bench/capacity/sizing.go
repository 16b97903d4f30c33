package capacity

// Assumptions are what sizing takes for granted about a load; a reader has others.
type Assumptions struct {
	ConversionsPerClick float64 // 0.02: two of a hundred buy
	ReportsPerSecond    float64 // people and programs that ask
	BurstTimes          float64 // trackers bear a minute of so many times the rate
	RedirectShare       float64 // of a tracker's cores, in that minute
	StoreShare          float64 // of everybody else's time, at the rate
	WriterShare         float64 // of the writer's of money
	DiskBytes           float64 // of clicks on one machine
	RetentionMonths     float64 // of clicks
	MonthRate           float64 // a month's mean rate as a part of the rate
	WindowMinutes       float64 // of uniqueness
	VisitorsPerClick    float64 // different visitors on links within a window, for each click
	OutageHours         float64 // ClickHouse may be away, and spools have room
	Links               float64
	CoresOfTracker      int // of one machine
	CoresOfShard        int
	Replicas            int // copies of a shard
}

// A Plan is what a rate needs. Where one writer of money is not enough, advertisers
// are divided among installations, which share nothing: the plan is of each.
type Plan struct {
	Installations int

	PerMinute    float64
	Load         Load
	One          bool // one machine bears it all, with room
	Installation Installation
	Use          map[Part]float64 // of their time, at the rate
	Ceilings     []Ceiling

	RedirectCores   float64 // cores redirects use in the burst
	BehindCores     float64 // and what trackers do behind them, at the rate
	StoreCores      float64
	DatabaseCores   float64
	WriterShare     float64
	SpoolBytes      float64 // of each tracker's disk
	SpoolWrites     float64 // bytes a second, of each
	ClickBytesMonth float64 // in ClickHouse, one copy
	ClickBytes      float64 // kept
	MoneyBytesMonth float64 // SQL
	MoneyStored     float64 // ClickHouse, one copy, a month
	WindowBytes     float64 // Redis
	LinkBytes       float64 // of each tracker
	InBits, OutBits float64 // a second, of all shoppers
	InsertBits      float64 // trackers to ClickHouse, a second
	Replicas        int
	Machines        int
}

const secondsOfMonth = 365.25 / 12 * 86400

// Size plans for a rate of clicks a minute.
func Size(c *Costs, a Assumptions, perMinute float64) Plan {
	for n := 1; ; n++ {
		p := Plan{Installations: n, PerMinute: perMinute / float64(n), Replicas: a.Replicas}
		p.Load = Load{Clicks: p.PerMinute / 60, Conversions: p.PerMinute / 60 * a.ConversionsPerClick, Reports: a.ReportsPerSecond}
		p.Installation = a.install(c, p.Load)
		if p.Use = p.Installation.Use(c, p.Load); p.Use[Writer] > a.WriterShare {
			continue
		}
		if p.One = p.Installation.Together; p.One {
			p.Replicas = 1
		}
		p.Ceilings = Ceilings(c, p.Installation, p.Load)
		a.count(c, &p)
		return p
	}
}

// kept is what clicks take on disk once retention is full, one copy.
func (a Assumptions) kept(c *Costs, load Load) float64 {
	return load.Clicks * a.MonthRate * secondsOfMonth * a.RetentionMonths * c.StoredClickBytes
}

// install takes one machine when half of it is enough, and else counts machines.
func (a Assumptions) install(c *Costs, load Load) Installation {
	one := OneMachine(a.CoresOfTracker)
	use, burst := one.Use(c, load), one.Use(c, load.times(a.BurstTimes))
	if max(use[Trackers], use[Shippers], use[Writer]) <= a.StoreShare && burst[Trackers] <= 1 && a.kept(c, load) <= a.DiskBytes {
		return one
	}
	i := Installation{Trackers: 2, TrackerCores: a.CoresOfTracker, Shards: 1, ShardCores: a.CoresOfShard, DatabaseCores: 2, AdminCores: 2, RedisMasters: 1}
	for _, part := range []struct {
		enough func(use map[Part]float64) bool
		more   *int
	}{
		{func(use map[Part]float64) bool {
			burst := i.demandOf(c, load.times(a.BurstTimes)).first / i.has()[Trackers]
			return burst <= a.RedirectShare && max(use[Trackers], use[Shippers]) <= a.StoreShare
		}, &i.Trackers},
		{func(use map[Part]float64) bool {
			return use[ClickHouse] <= a.StoreShare && a.kept(c, load)/float64(i.Shards) <= a.DiskBytes
		}, &i.Shards},
		{func(use map[Part]float64) bool { return use[Database] <= a.StoreShare }, &i.DatabaseCores},
		{func(use map[Part]float64) bool { return use[Admins] <= a.StoreShare }, &i.AdminCores},
		{func(use map[Part]float64) bool { return use[Redis] <= a.StoreShare }, &i.RedisMasters},
	} {
		for !part.enough(i.Use(c, load)) {
			*part.more++
		}
	}
	return i
}

func (a Assumptions) count(c *Costs, p *Plan) {
	i, load := p.Installation, p.Load
	trackers := float64(i.Trackers)
	p.RedirectCores = i.demandOf(c, load.times(a.BurstTimes)).first
	alone := i
	alone.Together = false
	alone.ShardCores, alone.AdminCores = max(i.ShardCores, 1), max(i.AdminCores, 1)
	d := alone.demandOf(c, load)
	p.BehindCores, p.StoreCores = d.parts[Trackers]-d.first, d.parts[ClickHouse]
	p.DatabaseCores, p.WriterShare = d.parts[Database], d.parts[Writer]

	clicks, conversions := load.Clicks*a.MonthRate*secondsOfMonth, load.Conversions*a.MonthRate*secondsOfMonth
	p.SpoolBytes = (load.Clicks*c.SpoolClickBytes + load.Conversions*c.SpoolConversionBytes) / trackers * a.OutageHours * 3600
	p.SpoolWrites = (load.Clicks*c.SpoolClickBytes + load.Conversions*c.SpoolConversionBytes) / trackers
	p.ClickBytesMonth = clicks * c.StoredClickBytes
	p.ClickBytes = a.kept(c, load)
	perConversion := c.SQLiteBytes
	if i.DatabaseCores > 0 {
		perConversion = c.PostgresBytes
	}
	p.MoneyBytesMonth, p.MoneyStored = conversions*perConversion, conversions*c.StoredConversionBytes
	if i.RedisMasters > 0 {
		p.WindowBytes = load.Clicks*a.WindowMinutes*60*a.VisitorsPerClick*c.WindowBytes + a.Links*c.RedisLinkBytes
	}
	p.LinkBytes = a.Links * c.LinkBytes
	p.InBits, p.OutBits = 8*load.Clicks*c.RedirectInBytes, 8*load.Clicks*c.RedirectOutBytes
	p.InsertBits = 8 * (load.Clicks*c.InsertClickBytes + load.Conversions*c.InsertConversionBytes)
	p.Machines = i.Trackers
	if !p.One {
		p.Machines += i.Shards*p.Replicas + 2 + 2 + 2*i.RedisMasters // two of PostgreSQL, two admins, a replica of each Redis
	}
}
