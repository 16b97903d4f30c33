package money

import (
	"testing"

	"tributary/schema/database/databasetest"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

// TestOnPostgreSQL runs this package's tests once more, on a PostgreSQL that undoes
// each write and has it tried again.
func TestOnPostgreSQL(t *testing.T) { databasetest.Again(t, "") }
