package main

import "tributary/bench/capacity"

// A costGroup is a table of the document.
type costGroup struct {
	Title string
	Lines []costLine
}

type costLine struct{ What, Cost string }

// groups puts the costs into words.
func groups(c *capacity.Costs) []costGroup {
	micros := func(v float64) string { return amount(v) + " µs" }
	perSecond := func(v float64) string { return amount(v) + " µs, so " + amount(1e6/v) + "/s on one core" }
	return []costGroup{
		{"A click", []costLine{
			{"redirect and durable record, on a busy core", perSecond(c.RedirectBusyMicros)},
			{"the same at " + amount(c.RedirectIdleRate) + "/s, where each request comes alone", micros(c.RedirectIdleMicros)},
			{"shipped: read, understood, encoded", micros(c.ShipRowMicros) + ", and " + micros(c.ShipInsertMicros) + " for each insert"},
			{"stored by ClickHouse, with rollups and merges", micros(c.StoreRowMicros) + ", and " + micros(c.StoreInsertMicros) + " for each insert"},
			{"uniqueness shared through Redis", micros(c.WindowMicros) + " of Redis, " + micros(c.WindowClientMicros) + " of the tracker"},
			{"one shipper at its fastest, with ClickHouse on the same cores: a larger machine does more", amount(c.ShipMostPerSecond) + " clicks/s"},
		}},
		{"A conversion", []costLine{
			{"taken one by one, on disk before its answer", perSecond(c.TakeMicros)},
			{"taken in arrays of a thousand", perSecond(c.TakeArrayMicros)},
			{"settled and told, SQLite", micros(c.SettleSQLiteMicros) + " of a core; the writer of money is held for " + perSecondOfClock(c.WriterSQLiteMicros)},
			{"settled and told, PostgreSQL", micros(c.SettlePostgresMicros) + " of the settler, " + micros(c.PostgresMicros) + " of PostgreSQL; the writer is held for " + perSecondOfClock(c.WriterPostgresMicros)},
			{"copied to ClickHouse", micros(c.CopyMicros) + " of the admin, " + micros(c.CopyStoreMicros) + " of ClickHouse"},
		}},
		{"The rest", []costLine{
			{"a report over " + amount(c.ReportClicks) + " clicks", span(c.ReportMicros/1e6) + " of the admin, " + span(c.ReportStoreMicros/1e6) + " of ClickHouse"},
			{"a new or changed link, through Redis", micros(c.ChangeMicros) + " of Redis"},
			{"memory of a tracker: at rest, and while it ships batches as large as they get", size(c.TrackerMemoryBytes) + ", " + size(c.LoadedMemoryBytes)},
			{"memory of the embedded ClickHouse, the most in that load", size(c.EngineMemoryBytes)},
		}},
		{"Bytes", []costLine{
			{"a click: in the spool, in ClickHouse", size(c.SpoolClickBytes) + ", " + size(c.StoredClickBytes)},
			{"a conversion: in the spool, in SQLite, in PostgreSQL, in ClickHouse", size(c.SpoolConversionBytes) + ", " + size(c.SQLiteBytes) + ", " + size(c.PostgresBytes) + ", " + size(c.StoredConversionBytes)},
			{"a redirect on the wire, without TLS and TCP: in, out", size(c.RedirectInBytes) + ", " + size(c.RedirectOutBytes)},
			{"to ClickHouse, not compressed: a click, a conversion", size(c.InsertClickBytes) + ", " + size(c.InsertConversionBytes)},
			{"settler and PostgreSQL, both ways, a conversion", size(c.SettleWireBytes)},
			{"shipper and Redis, both ways, a click", size(c.WindowWireBytes)},
			{"in Redis: a visitor on a link for its window, a link", size(c.WindowBytes) + ", " + size(c.RedisLinkBytes)},
			{"a link in each tracker's memory", size(c.LinkBytes)},
		}},
	}
}

func perSecondOfClock(micros float64) string {
	return amount(micros) + " µs of the clock, so " + amount(1e6/micros) + "/s"
}
