package reclassify

import (
	"testing"

	"tributary/schema/schematest"
)

// Hits are judged again on a cluster as on one server.
func TestRunOnACluster(t *testing.T) { schematest.OnCluster(t, "TestRunEqualsARecount") }
