package main

import (
	"io"
	"log/slog"
)

// newLogger writes log lines as the options say. Setting level later changes
// what is written from then on.
func newLogger(w io.Writer, o Options, level *slog.LevelVar) *slog.Logger {
	level.Set(o.LogLevel)
	handler := &slog.HandlerOptions{Level: level}
	if o.LogJSON {
		return slog.New(slog.NewJSONHandler(w, handler))
	}
	return slog.New(slog.NewTextHandler(w, handler))
}
