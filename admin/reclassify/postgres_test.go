package reclassify

import (
	"testing"

	"tributary/schema/database/databasetest"
)

// TestOnPostgreSQL runs one test once more, on a PostgreSQL that undoes each write
// and has it tried again.
func TestOnPostgreSQL(t *testing.T) { databasetest.Again(t, "^TestFollowers$") }
