package ingest

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// A failure says what an insert's error means for its rows.
type failure int

const (
	// failurePassing: the connection, the server or the table is not well, or the
	// reply was lost. The same rows are sent again with the same token.
	failurePassing failure = iota
	// failureSize: too much at once. Half of the rows may be taken.
	failureSize
	// failureData: ClickHouse will never take these rows as they are. The search
	// for the row that it minds begins.
	failureData
)

// Codes of ClickHouse's exceptions about the rows themselves.
var dataCodes = []int32{
	6,   // CANNOT_PARSE_TEXT
	26,  // CANNOT_PARSE_QUOTED_STRING
	27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
	38,  // CANNOT_PARSE_DATE
	41,  // CANNOT_PARSE_DATETIME
	53,  // TYPE_MISMATCH
	69,  // ARGUMENT_OUT_OF_BOUND
	70,  // CANNOT_CONVERT_TYPE
	72,  // CANNOT_PARSE_NUMBER
	117, // INCORRECT_DATA
	128, // TOO_LARGE_ARRAY_SIZE
	131, // TOO_LARGE_STRING_SIZE
	321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
	349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
	407, // DECIMAL_OVERFLOW
	469, // VIOLATED_CONSTRAINT
	691, // UNKNOWN_ELEMENT_OF_ENUM
}

// Codes of exceptions about the amount.
var sizeCodes = []int32{
	158, // TOO_MANY_ROWS
	223, // QUERY_IS_TOO_LARGE
	241, // MEMORY_LIMIT_EXCEEDED
	307, // TOO_MANY_BYTES
}

// tooManyParts is said of a table that cannot keep up, which passes, and of an
// insert of too many partitions, which does not.
const tooManyParts = 252

// classify reads an insert's error.
func classify(err error) failure {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		switch {
		case slices.Contains(dataCodes, exception.Code):
			return failureData
		case slices.Contains(sizeCodes, exception.Code):
			return failureSize
		case exception.Code == tooManyParts && strings.Contains(exception.Message, "partitions for single INSERT"):
			return failureSize
		}
		return failurePassing
	}
	var answer *clickhouse.HTTPError
	if errors.As(err, &answer) && answer.StatusCode == http.StatusRequestEntityTooLarge {
		return failureSize
	}
	return failurePassing
}
