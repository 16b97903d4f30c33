package reports

import (
	"testing"

	"tributary/schema/schematest"
)

// Reports of a cluster are those of one server: the tests that compare with an
// independent count, on two shards. TRIBUTARY_SCHEMATEST_CLUSTER=1 runs all that way.
func TestReportsOfACluster(t *testing.T) {
	schematest.OnCluster(t, "TestFiguresEqual|TestTheFunnel|TestPathsEqual|TestCodeUse|TestModels|TestPostsEqual|TestUpcoming|TestFilesHaveEveryRow")
}
