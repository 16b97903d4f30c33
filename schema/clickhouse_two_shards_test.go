package schema_test

import (
	"testing"

	"tributary/schema/schematest"
)

func TestTheSameOnACluster(t *testing.T) {
	schematest.OnCluster(t, "TestActionsAreSummedOnce|TestRetention|TestMigrationsAtOnce")
}
