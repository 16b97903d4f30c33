package archive

import (
	"errors"
	"fmt"
	"time"
)

// ErrDamaged is an archive that is not whole, or not what was written.
var ErrDamaged = errors.New("the backup is damaged or cut short")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// A Header says what an archive is of.
type Header struct {
	Format  int       `json:"format"`  // of the archive; set by NewWriter
	Program string    `json:"program"` // version of the program that made it
	MadeAt  time.Time `json:"made_at"`
	Bytes   int64     `json:"bytes"`             // of all files, for progress
	Missing []string  `json:"missing,omitempty"` // what the data directory does not hold and so is not in it, and what to do
}

// A Seal is the last entry: what the archive holds.
type Seal struct {
	Files  int64  `json:"files"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hex
}

const (
	format     = 1
	headerName = "backup.json"
	sealName   = "seal.json"

	maxHeaderBytes = 1 << 20
)
