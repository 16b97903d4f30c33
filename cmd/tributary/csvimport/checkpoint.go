package csvimport

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A checkpoint is how far an import is, kept beside the file until it is done.
type checkpoint struct {
	Run          string    `json:"run"` // names the chunks of this import
	SHA256       string    `json:"sha256"`
	Bytes        int64     `json:"bytes"`
	URL          string    `json:"url"`
	AdvertiserID string    `json:"advertiser_id,omitempty"`
	Offset       int64     `json:"offset"` // everything before it was answered
	Line         int       `json:"line"`   // of the offset, from 1
	RefusedBytes int64     `json:"refused_bytes"`
	Counts       Counts    `json:"counts"`
	StartedAt    time.Time `json:"started_at"`
}

// checkpointFile is where the progress of a file is kept.
func checkpointFile(file string) string { return file + ".import.json" }

// resume reads the progress of the same import; nil when there is none.
func resume(file string, of *checkpoint) (*checkpoint, error) {
	content, err := os.ReadFile(checkpointFile(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read how far the import was: %w", err)
	}
	was := &checkpoint{}
	if err := json.Unmarshal(content, was); err != nil {
		return nil, fmt.Errorf("%s cannot be read: delete it to begin anew: %w", checkpointFile(file), err)
	}
	if was.SHA256 != of.SHA256 || was.URL != of.URL || was.AdvertiserID != of.AdvertiserID {
		return nil, nil // of another file, or another server's
	}
	return was, nil
}

// keep writes the progress so that a crash leaves the old one or this.
func (p *checkpoint) keep(file string) error {
	content, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("write down how far the import is: %w", err)
	}
	path := checkpointFile(file)
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write down how far the import is: %w", err)
	}
	_, err = part.Write(append(content, '\n'))
	if err = errors.Join(err, part.Sync(), part.Close()); err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write down how far the import is: %w", errors.Join(err, os.Remove(part.Name())))
	}
	return nil
}
