package reports

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"tributary/schema"
	"tributary/schema/schematest"
)

// A told is what was told of a post at a time.
type told struct {
	at, posted                     time.Time
	archived                       bool
	views, likes, shares, comments int64
}

type posted struct {
	stored
	id   string
	life []told
}

func generatePosts(n int) []posted {
	random := rand.New(rand.NewPCG(17, 19))
	posts := make([]posted, n)
	for i, place := range generate(n) {
		p := posted{stored: place, id: fmt.Sprintf("pst_%04d", i)}
		now := told{at: place.at.Add(time.Minute), posted: place.at}
		for range 1 + random.IntN(5) {
			p.life = append(p.life, now)
			now.at = now.at.Add(time.Duration(random.Int64N(int64(5 * 24 * time.Hour)))).Truncate(time.Millisecond)
			now.views, now.likes = now.views+random.Int64N(9_000), now.likes+random.Int64N(900)
			now.shares, now.comments = now.shares+random.Int64N(90), now.comments+random.Int64N(50)
			if random.IntN(8) == 0 {
				now.posted = now.posted.Add(-time.Duration(random.Int64N(int64(48 * time.Hour)))).Truncate(time.Millisecond) // a correction
			}
			now.archived = random.IntN(12) == 0
		}
		posts[i] = p
	}
	return posts
}

func insertPosts(t *testing.T, conn driver.Conn, posts []posted) {
	t.Helper()
	for _, token := range []string{"posts", "posts again"} {
		ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(schema.InsertSettings(t.Name()+token)))
		batch, err := conn.PrepareBatch(ctx, `INSERT INTO posts (post_id, advertiser_id, campaign_id, creator_id, task_id, platform, currency, status, archived,
			posted_at, views, likes, shares, comments, told_at, version)`)
		must(t, err)
		version := uint64(0)
		for _, p := range posts {
			for _, now := range p.life {
				version++
				must(t, batch.Append(p.id, p.advertiser, p.campaign, p.creator, p.task, p.platform, p.currency, "effective", uint8(bit(now.archived)),
					now.posted, now.views, now.likes, now.shares, now.comments, now.at, version))
			}
		}
		must(t, batch.Send())
	}
}

func TestPostsEqualAnIndependentCount(t *testing.T) {
	conn := schematest.Start(t)
	posts := generatePosts(800)
	insertPosts(t, conn, posts)
	insert(t, conn, generate(300))
	reports := New(conn, upToDate{}, noAgencies{})
	for _, question := range []Question{
		{GroupBy: []string{"campaign"}}, {GroupBy: []string{"platform", "creator"}, Sort: "-engagement_rate"}, {GroupBy: []string{"day"}, TZ: "Asia/Kolkata"},
		{GroupBy: []string{"post"}, From: "2026-10-25T00:00:00.007Z", To: "2026-10-29T13:07:00Z", Columns: []string{"posts", "views", "likes", "shares", "comments", "engagements", "engagement_rate"}},
		{GroupBy: []string{"task"}, AsOf: "2026-10-30T12:00:00Z", Filters: map[string][]string{"platform": {"tiktok"}}},
		{GroupBy: []string{"month"}, TZ: "Australia/Lord_Howe", AsOf: "2026-11-04T01:02:03.004Z"},
	} {
		query, err := NewQuery(Scope{All: true}, question, reportTime)
		must(t, err)
		report, err := reports.Performance(t.Context(), query, reportTime)
		must(t, err)
		of := muchLater
		if question.AsOf != "" {
			of = query.asOf
		}
		groups := map[string]*told{}
		counts := map[string]uint64{}
		for _, p := range posts {
			now := slices.IndexFunc(p.life, func(n told) bool { return n.at.After(of) }) - 1
			if now == -2 {
				now = len(p.life) - 1
			}
			if now < 0 || p.life[now].archived || question.Filters != nil && p.platform != "tiktok" {
				continue
			}
			n := p.life[now]
			if n.posted.Before(query.from) || !n.posted.Before(query.to) {
				continue
			}
			var key []string
			for _, d := range question.GroupBy {
				if d == "post" {
					key = append(key, p.id)
					continue
				}
				place := p.stored
				place.at = n.posted
				key = append(key, place.key(d, query.zone))
			}
			name := strings.Join(append(key, p.currency), "|")
			if groups[name] == nil {
				groups[name] = &told{}
			}
			g := groups[name]
			g.views, g.likes, g.shares, g.comments = g.views+n.views, g.likes+n.likes, g.shares+n.shares, g.comments+n.comments
			counts[name]++
		}
		for i := range report.Rows {
			row := &report.Rows[i]
			name := strings.Join(append(slices.Clone(row.Keys), row.Currency), "|")
			g := groups[name]
			if g == nil {
				g = &told{}
			}
			engagements := g.likes + g.shares + g.comments
			want := map[string]any{
				"posts": counts[name], "views": uint64(g.views), "likes": uint64(g.likes), "shares": uint64(g.shares), "comments": uint64(g.comments),
				"engagements": uint64(engagements), "engagement_rate": nil,
			}
			if g.views > 0 {
				want["engagement_rate"] = big.NewRat(engagements, g.views).FloatString(4)
			}
			for column, value := range want {
				if got := report.Value(row, column); got != value {
					t.Errorf("%v %s: %s is %v, want %v", question, name, column, got, value)
				}
			}
			delete(groups, name)
		}
		if len(groups) > 0 {
			t.Errorf("%v: %d groups are missing", question, len(groups))
		}
	}
	// A link has no posts: their figures are not known of its rows.
	query, err := NewQuery(Scope{All: true}, Question{GroupBy: []string{"link"}}, reportTime)
	must(t, err)
	report, err := reports.Performance(t.Context(), query, reportTime)
	must(t, err)
	if got := report.Value(&report.Rows[0], "views"); got != nil {
		t.Errorf("a link has %v views", got)
	}
}
