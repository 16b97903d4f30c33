package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATEs that say something of the server and nothing of what was asked.
const (
	stateSerializationFailure = "40001"
	stateDeadlock             = "40P01"

	classConnection           = "08"
	classResources            = "53"    // its disk or memory is full, or it has no connection to give
	classIntervention         = "57"    // it stops, or somebody ended what was asked
	classSystem               = "58"    // its disk fails
	stateReadOnlyTransaction  = "25006" // a primary that has become a standby
	stateTransactionTimeout   = "25P04"
	stateIdleInTransaction    = "25P03"
	stateInvalidPassword      = "28P01"
	stateInvalidAuthorization = "28000"
	stateUndefinedTable       = "42P01"
)

// Unavailable reports whether an error means that the database cannot be used
// now, and the same may well succeed later: it is away, starting, stopping, full,
// has lost the connection, or has not been migrated yet. Whether a write was
// committed whose Commit failed so is not known.
func Unavailable(err error) bool {
	if errors.Is(err, ErrUnavailable) {
		return true
	}
	if state, answered := stateOf(err); answered {
		switch state {
		case stateReadOnlyTransaction, stateTransactionTimeout, stateIdleInTransaction, stateInvalidPassword, stateInvalidAuthorization:
			return true
		}
		switch state[:2] {
		case classConnection, classResources, classIntervention, classSystem:
			return true
		}
		return false
	}
	var lost *pgconn.ConnectError
	var network *net.OpError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false // who asked has stopped waiting
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, pgconn.ErrConnClosed), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	return errors.As(err, &lost) || errors.As(err, &network)
}

// Undone reports whether PostgreSQL has undone a transaction for the sake of
// another (a deadlock, a serialization failure), so that the same may be tried
// again. Write does so: what runs inside of one returns such an error.
func Undone(err error) bool {
	state, answered := stateOf(err)
	return answered && (state == stateSerializationFailure || state == stateDeadlock)
}

// stateOf is the SQLSTATE PostgreSQL answered with.
func stateOf(err error) (state string, answered bool) {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) || len(answer.Code) < 2 {
		return "", false
	}
	return answer.Code, true
}
