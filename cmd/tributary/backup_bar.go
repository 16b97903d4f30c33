package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"tributary/cmd/tributary/archive"
)

// A byteBar shows, on a terminal, how much of a backup has passed.
type byteBar struct {
	line        importBar
	done, total int64
}

func newByteBar(t terminal) *byteBar {
	b := &byteBar{line: importBar{out: t.Err, quiet: true, began: time.Now()}}
	if stderr, isFile := t.Err.(*os.File); isFile {
		b.line.quiet = !isatty.IsTerminal(stderr.Fd())
	}
	return b
}

// expect notes how much there is.
func (b *byteBar) expect(h archive.Header) error {
	b.total = h.Bytes
	return nil
}

// Write implements io.Writer.
func (b *byteBar) Write(p []byte) (int, error) {
	b.done += int64(len(p))
	if now := time.Now(); !b.line.quiet && b.total > 0 && now.Sub(b.line.shown) >= barInterval {
		b.line.shown = now
		b.line.write(b.text(now.Sub(b.line.began)))
	}
	return len(p), nil
}

func (b *byteBar) text(took time.Duration) string {
	const width = 24
	part := min(1, float64(b.done)/float64(b.total)) // the archive's own bytes are not in total
	full := int(part * width)
	left := time.Duration(float64(took) * (1 - part) / max(part, 0.001))
	return fmt.Sprintf("[%s%s] %3.0f %%  %s of %s  %v left", strings.Repeat("#", full), strings.Repeat("-", width-full), part*100,
		asBytes(min(b.done, b.total)), asBytes(b.total), left.Round(time.Second))
}

func (b *byteBar) end() { b.line.end() }

// asBytes writes a size for people.
func asBytes(n int64) string {
	const kilo = 1000
	size, unit := float64(n), 0
	for units := []string{"bytes", "kB", "MB", "GB", "TB"}; ; unit++ {
		if size < kilo || unit == len(units)-1 {
			if unit == 0 {
				return fmt.Sprintf("%d %s", n, units[unit])
			}
			return fmt.Sprintf("%.1f %s", size, units[unit])
		}
		size /= kilo
	}
}
