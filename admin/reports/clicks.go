package reports

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"tributary/attribution"
)

// A Click is a stored hit as a client sees it. Absent values are null.
type Click struct {
	ClickID          string              `json:"click_id"`
	Time             attribution.Instant `json:"time"`
	LinkID           string              `json:"link_id"`
	TaskID           string              `json:"task_id"`
	PostID           *string             `json:"post_id"`
	CampaignID       string              `json:"campaign_id"`
	CreatorID        string              `json:"creator_id"`
	AdvertiserID     string              `json:"advertiser_id"`
	Platform         string              `json:"platform" doc:"The task's"`
	ObservedPlatform *string             `json:"observed_platform" doc:"From referrer and in-app user agent"`
	Verdict          string              `json:"verdict"`
	Reasons          []string            `json:"reasons"`
	RulesVersion     uint32              `json:"rules_version"`
	Unique           bool                `json:"unique"`
	Method           string              `json:"method"`
	Destination      string              `json:"destination"`
	Rule             *string             `json:"rule" doc:"What chose the destination; null for the link's own"`
	Country          *string             `json:"country"`
	Region           *string             `json:"region"`
	City             *string             `json:"city"`
	ASN              *uint32             `json:"asn"`
	ASNOrg           *string             `json:"asn_org"`
	Device           string              `json:"device"`
	OS               string              `json:"os"`
	OSVersion        *string             `json:"os_version"`
	Browser          string              `json:"browser"`
	BrowserVersion   *string             `json:"browser_version"`
	InApp            bool                `json:"in_app"`
	ReferrerHost     *string             `json:"referrer_host"`
	Language         *string             `json:"language"`
	Address          *string             `json:"address" doc:"Network of the shopper: /24 or /48"`
	Sub1             *string             `json:"sub1"`
	Sub2             *string             `json:"sub2"`
	Sub3             *string             `json:"sub3"`
	Sub4             *string             `json:"sub4"`
	Sub5             *string             `json:"sub5"`
	Code             *string             `json:"code"`
	Unpayable        *string             `json:"unpayable" doc:"Why this click cannot earn"`
	GPC              bool                `json:"gpc" doc:"The shopper sent Sec-GPC: 1"`
}

// clickFilters are the columns clicks can be filtered by.
var clickFilters = []string{"advertiser_id", "link_id", "task_id", "post_id", "campaign_id", "creator_id", "platform", "observed_platform", "verdict", "country", "device", "os", "unpayable"}

// MaxClicks is the most clicks one answer holds.
const MaxClicks = 1_000

// A ClickQuestion asks for hits, newest first.
type ClickQuestion struct {
	From, To string // as in Question; empty: everything
	Filters  map[string][]string
	Cursor   string
	Limit    int // 0: 100
}

// A ClickPage is a part of the answer; NextCursor is empty on the last.
type ClickPage struct {
	Clicks      []Click
	NextCursor  string
	DataThrough time.Time
}

// Clicks lists hits, newest first.
func (r *Reports) Clicks(ctx context.Context, scope Scope, q ClickQuestion, now time.Time) (*ClickPage, error) {
	var check attribution.Checker
	from, to := checkPeriod(&check, q.From, q.To, time.UTC, now)
	if q.Limit == 0 {
		q.Limit = 100
	}
	check.Require(q.Limit > 0 && q.Limit <= MaxClicks, "query.limit", "must be 1 to %d", MaxClicks)
	parameters := clickhouse.Parameters{"from": clickHouseTime(from), "to": clickHouseTime(to)}
	conditions := scopeConditions(scope, parameters)
	for _, name := range slices.Sorted(maps.Keys(q.Filters)) {
		check.Require(slices.Contains(clickFilters, name), "query."+name, "is no filter")
		check.Require(len(q.Filters[name]) <= maxFilter, "query."+name, "has more than %d values", maxFilter)
		parameters["filter_"+name] = arrayParameter(q.Filters[name])
		conditions = append(conditions, name+" IN {filter_"+name+":Array(String)}")
	}
	if q.Cursor != "" {
		at, id, ok := readCursor(q.Cursor)
		check.Require(ok, "query.cursor", "is not one an earlier answer gave")
		parameters["cursor_time"], parameters["cursor_id"] = clickHouseTime(at), id
		conditions = append(conditions, "(time, click_id) < ({cursor_time:DateTime64(3, 'UTC')}, {cursor_id:String})")
	}
	if err := check.Err(); err != nil {
		return nil, err
	}
	page := &ClickPage{DataThrough: r.freshness.DataThrough(now)}
	clicks, err := r.selectClicks(ctx, conditions, parameters, q.Limit+1)
	if err != nil {
		return nil, err
	}
	if len(clicks) > q.Limit {
		clicks = clicks[:q.Limit]
		last := clicks[q.Limit-1]
		page.NextCursor = writeCursor(last.Time.Time(), last.ClickID)
	}
	page.Clicks = clicks
	return page, nil
}

// A ClickKey is where a click lies: the table's primary key. A click id says its
// link and time, and the link whose it is.
type ClickKey struct {
	ClickID, AdvertiserID, CampaignID, LinkID string
	AtMs                                      int64
}

// Click returns one hit, or nil when it is not stored (yet).
func (r *Reports) Click(ctx context.Context, key ClickKey) (*Click, error) {
	at := time.UnixMilli(key.AtMs)
	parameters := clickhouse.Parameters{
		"from": clickHouseTime(at), "to": clickHouseTime(at.Add(time.Millisecond)),
		"advertiser": key.AdvertiserID, "campaign": key.CampaignID, "link": key.LinkID, "click": key.ClickID,
	}
	conditions := []string{
		"advertiser_id = {advertiser:String}", "campaign_id = {campaign:String}",
		"link_id = {link:String}", "click_id = {click:String}",
	}
	clicks, err := r.selectClicks(ctx, conditions, parameters, 1)
	if err != nil || len(clicks) == 0 {
		return nil, err
	}
	return &clicks[0], nil
}

func (r *Reports) selectClicks(ctx context.Context, conditions []string, parameters clickhouse.Parameters, limit int) ([]Click, error) {
	var statement strings.Builder
	input := struct {
		Conditions []string
		Limit      int
	}{conditions, limit}
	if err := r.clicks.Execute(&statement, input); err != nil {
		return nil, fmt.Errorf("write the query for clicks: %w", err)
	}
	result, err := r.conn.Query(clickhouse.Context(ctx, clickhouse.WithParameters(parameters)), statement.String())
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse for clicks: %w", err)
	}
	defer result.Close()
	clicks := []Click{}
	for result.Next() {
		click, err := scanClick(result.Scan)
		if err != nil {
			return nil, fmt.Errorf("read clicks: %w", err)
		}
		clicks = append(clicks, click)
	}
	if err := result.Err(); err != nil {
		return nil, fmt.Errorf("read clicks: %w", err)
	}
	return clicks, nil
}

// scanClick reads a row of clicks.sql, its columns in that order.
func scanClick(scan func(...any) error) (Click, error) {
	var (
		c                                                          Click
		at                                                         time.Time
		unique, inApp, gpc                                         uint8
		asn                                                        uint32
		post, observed, rule, country, region, city, asnOrg        string
		network, osVersion, browserVersion, referrer, lang, reason string
		subs                                                       [5]string
	)
	err := scan(&c.ClickID, &at, &c.AdvertiserID, &c.CampaignID, &c.CreatorID, &c.TaskID, &c.LinkID, &post, &c.Platform, &observed,
		&c.Verdict, &c.Reasons, &c.RulesVersion, &unique, &c.Method, &c.Destination, &rule, &country, &region, &city, &asn, &asnOrg, &network,
		&c.Device, &c.OS, &osVersion, &c.Browser, &browserVersion, &inApp, &referrer, &lang,
		&subs[0], &subs[1], &subs[2], &subs[3], &subs[4], &reason, &gpc)
	if err != nil {
		return Click{}, err
	}
	c.Time = attribution.InstantOf(at)
	c.Unique, c.InApp, c.GPC = unique == 1, inApp == 1, gpc == 1
	if asn != 0 {
		c.ASN = &asn
	}
	if c.Reasons == nil {
		c.Reasons = []string{}
	}
	c.PostID, c.ObservedPlatform, c.Rule = orNull(post), orNull(observed), orNull(rule)
	c.Country, c.Region, c.City, c.ASNOrg, c.Address = orNull(country), orNull(region), orNull(city), orNull(asnOrg), orNull(network)
	c.OSVersion, c.BrowserVersion, c.ReferrerHost, c.Language = orNull(osVersion), orNull(browserVersion), orNull(referrer), orNull(lang)
	c.Sub1, c.Sub2, c.Sub3, c.Sub4, c.Sub5 = orNull(subs[0]), orNull(subs[1]), orNull(subs[2]), orNull(subs[3]), orNull(subs[4])
	c.Unpayable = orNull(reason)
	return c, nil
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func writeCursor(at time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(at.UnixMilli(), 10) + " " + id))
}

func readCursor(cursor string) (at time.Time, id string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return time.Time{}, "", false
	}
	ms, id, found := strings.Cut(string(raw), " ")
	n, err := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(n), id, found && err == nil
}
