package main

import (
	"hash/fnv"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"tributary/attribution"
	"tributary/cmd/tributary/traffic"
	"tributary/ingest/spool"
	"tributary/redirect/verdict"
)

// demoClicks makes the clicks of the last days, as the tracker would have
// recorded them.
type demoClicks struct {
	keys  *attribution.ClickKeyring
	rules *verdict.Rules
	log   *spool.Log
	links []demoLink
	sales demoSales // what the clicks led to
}

const (
	demoClickCount = 9000
	demoDays       = 42
	demoAgeDays    = 61 // how long ago the first campaign was entered
	demoSeed       = 20270110
	dayMs          = 24 * 60 * 60 * 1000
)

// send appends the clicks to the spool, oldest first.
func (d *demoClicks) send(now time.Time) error {
	mix, err := traffic.NewMix(demoSeed)
	if err != nil {
		return err
	}
	var byPopularity []*demoLink
	for i := range d.links {
		for range d.links[i].popularity {
			byPopularity = append(byPopularity, &d.links[i])
		}
	}
	random := mix.Rand()
	times := make([]int64, demoClickCount)
	for i := range times {
		times[i] = now.UnixMilli() - clickAgeMs(random)
	}
	slices.Sort(times)
	var minter attribution.ClickMinter
	var record []byte
	for _, at := range times {
		link := byPopularity[random.IntN(len(byPopularity))]
		if at < link.fromMs {
			continue
		}
		kind, address := mix.Visitor()
		click := d.click(&minter, link, kind, address, at, random.Uint64())
		record = attribution.AppendClick(record[:0], &click)
		if err := d.log.Append(0, record); err != nil {
			return err
		}
		d.sales.consider(random, link, &click, now.UnixMilli())
	}
	return nil
}

// clickAgeMs draws how long ago a click was: any of the days, more often in
// the evening than at night.
func clickAgeMs(random *rand.Rand) int64 {
	evening := (random.Float64() + random.Float64() + random.Float64()) / 3 // most often about the middle of the day before
	return int64(random.IntN(demoDays))*dayMs + int64(evening*dayMs)
}

func (d *demoClicks) click(minter *attribution.ClickMinter, link *demoLink, kind traffic.Kind, address string, atMs int64, entropy uint64) attribution.Click {
	reasons := d.rules.Classify(&verdict.Hit{UserAgent: []byte(kind.UserAgent)})
	id := minter.Append(nil, d.keys, attribution.ClickToken{AtMs: atMs, Link: link.Number, Verdict: reasons.Verdict()}, entropy)
	identity := attribution.AppendIdentity(nil, &attribution.LinkIdentity{
		Number: link.Number, LinkID: link.ID, TaskID: link.TaskID, PostID: link.PostID, CampaignID: link.CampaignID,
		CreatorID: link.CreatorID, AdvertiserID: link.AdvertiserID, Platform: link.Platform, Currency: link.currency,
	})
	visitor := fnv.New64a()
	visitor.Write([]byte(address + kind.UserAgent))
	return attribution.Click{
		ID: id, AtMs: atMs, Identity: identity, Verdict: reasons.Verdict(), Reasons: reasons, RulesVersion: d.rules.Version(),
		Visitor: max(1, visitor.Sum64()), Country: []byte(kind.Country), Network: network24(address),
		Destination: withClickID(link.Destination, id), UserAgent: []byte(kind.UserAgent),
		RefererHost: hostOf(kind.Referer), Language: []byte(strings.Split(kind.Language, ",")[0]),
	}
}

// network24 cuts an IPv4 address, as the tracker does before it writes anything.
func network24(address string) []byte {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return nil
	}
	network, err := addr.Prefix(24)
	if err != nil {
		return nil
	}
	return []byte(network.String())
}

func withClickID(destination string, id []byte) []byte {
	separator := "?"
	if strings.Contains(destination, "?") {
		separator = "&"
	}
	return []byte(destination + separator + "tcid=" + string(id))
}

func hostOf(address string) []byte {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	return []byte(u.Hostname())
}
