package capacity

// Prices are a reader's own, in any one currency.
type Prices struct {
	CoreHour        float64
	GigabyteMonth   float64 // of disk
	MemoryHour      float64 // of a gigabyte
	EgressGigabyte  float64 // to shoppers; the rest stays in the data centre
	HoursOfAMonth   float64
	MemoryOfMachine float64 // GB, of each core
}

// A Bill is a month's cost once retention is full, and what it is of.
type Bill struct {
	Cores, DiskGigabytes, EgressGigabytes   float64
	ForCores, ForMemory, ForDisk, ForEgress float64
	Total, PerMillionClicks                 float64
}

// Bill counts what a plan costs in a month, all its installations: every machine's
// cores all month, disks as full as retention and a year of money make them, and what
// shoppers are sent.
func (p Plan) Bill(c *Costs, a Assumptions, price Prices) Bill {
	i, all, copies := p.Installation, float64(p.Installations), float64(p.Replicas)
	cores := i.Trackers * i.TrackerCores
	if !p.One {
		cores += i.Shards*i.ShardCores*p.Replicas + 2*(i.DatabaseCores+i.AdminCores+i.RedisMasters)
	}
	const gigabyte, year = 1e9, 12
	clicks := all * p.Load.Clicks * a.MonthRate * secondsOfMonth
	b := Bill{
		Cores:           all * float64(cores),
		DiskGigabytes:   all * (float64(i.Trackers)*p.SpoolBytes + copies*(p.ClickBytes+year*(p.MoneyStored+p.MoneyBytesMonth))) / gigabyte,
		EgressGigabytes: clicks * c.RedirectOutBytes / gigabyte,
	}
	b.ForCores = b.Cores * price.HoursOfAMonth * price.CoreHour
	b.ForMemory = b.Cores * price.MemoryOfMachine * price.HoursOfAMonth * price.MemoryHour
	b.ForDisk = b.DiskGigabytes * price.GigabyteMonth
	b.ForEgress = b.EgressGigabytes * price.EgressGigabyte
	b.Total = b.ForCores + b.ForMemory + b.ForDisk + b.ForEgress
	b.PerMillionClicks = b.Total / (clicks / 1e6)
	return b
}
