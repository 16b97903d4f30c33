package schema_test

import (
	"testing"

	"tributary/schema/schematest"
)

// On a cluster the table on the shard remembers the token, not the Distributed one
// that passes it on. The shards of a test are one table, so that the rows are one
// shard's.
func TestATokenIsPassedOnToTheShard(t *testing.T) {
	conn := schematest.Cluster(t)
	for _, table := range []string{"clicks", "clicks_15m", "campaign_clicks_15m"} {
		if err := conn.Exec(testContext(t), "ALTER TABLE "+table+" MODIFY SETTING non_replicated_deduplication_window = 100"); err != nil {
			t.Fatal(err)
		}
	}
	batch := spread(clickBatch(1000, 0))
	advertisers := batch[2].([]string)
	for i := range advertisers {
		advertisers[i] = "adv_of_one_shard"
	}
	for range 3 {
		if err := insertClicks(testContext(t), conn, batch, "the same"); err != nil {
			t.Fatal(err)
		}
	}
	want := expectedSums(1000)
	want.partitions = 4
	if got := readSums(t, conn); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
