package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"runtime"
	"time"
)

// Options says where a log lives and what it may use. Every zero value but Dir's and SyncWithin's stands for its default.
type Options struct {
	// Dir holds the log and nothing else; it is made when missing. It must be on a file system that outlives the
	// process (a container's tmpfs does not). Required.
	Dir string
	// SyncWithin is the longest a record may be written without being on disk. 0: Append returns once it is on disk.
	SyncWithin time.Duration
	// MaxWait is the longest Append waits, for room or for the disk. Default 100 ms.
	MaxWait time.Duration
	// Shards is the number of rings, 1 to 64. Default: GOMAXPROCS, at most 16.
	Shards int
	// RingBytes is the size of each ring, rounded up to a power of two; all of it is resident. It must hold eight
	// of the largest records. Default 8 MiB. A ring that still holds records keeps its size until the next Open.
	RingBytes int
	// SegmentBytes is the size segments are preallocated with. Default 64 MiB.
	SegmentBytes int64
	// FillAhead writes zeros over the next segment before it is used: fsyncs are about twice as fast then, and each
	// byte is written twice. It is for logs with many producers that wait for the disk.
	FillAhead bool
	// MaxBytes bounds the log's segments and rings on disk; beyond, it behaves as on a full disk. Default 64 GiB.
	MaxBytes int64
	// KeepFreeBytes of the disk, but no more than a quarter of it, are left to those who drain the log: where a segment
	// would take of them, it behaves as on a full disk. Default 0.
	KeepFreeBytes uint64
	// MaxRecordBytes is the longest record taken, at most 1 MiB. Default 128 KiB.
	MaxRecordBytes int
	// Logger is told of what an operator should know. Default: nowhere.
	Logger *slog.Logger
}

var (
	// ErrUnrecorded is what Append returns when the record is not safe: no room or no answer of the disk within
	// MaxWait. In the latter case it may land yet; Stats.Unrecorded then forgets it again.
	ErrUnrecorded = errors.New("spool: record not recorded")
	// ErrTooLarge is the ErrUnrecorded of a record above MaxRecordBytes.
	ErrTooLarge = fmt.Errorf("%w: larger than the spool's limit for one record", ErrUnrecorded)
	// ErrClosed is the ErrUnrecorded of a closed log; Next, ReadRange, Commit and Sync return it too.
	ErrClosed = fmt.Errorf("%w: the spool is closed", ErrUnrecorded)
	// ErrRange is returned for sequences that are not, or no longer, in the log.
	ErrRange = errors.New("spool: sequence out of range")
)

func (o Options) withDefaults() (Options, error) {
	setDefault(&o.MaxWait, 100*time.Millisecond)
	setDefault(&o.Shards, min(runtime.GOMAXPROCS(0), 16))
	setDefault(&o.RingBytes, 8<<20)
	setDefault(&o.SegmentBytes, 64<<20)
	setDefault(&o.MaxBytes, 64<<30)
	setDefault(&o.MaxRecordBytes, 128<<10)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	var problems []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf("spool: "+format, args...))
		}
	}
	check(o.Dir != "", "Dir is empty: name a directory")
	check(o.SyncWithin >= 0, "SyncWithin is negative: use 0 to wait for the disk")
	check(o.MaxWait > 0, "MaxWait is negative")
	check(o.Shards >= 1 && o.Shards <= maxShards, "Shards is %d: use 1 to %d", o.Shards, maxShards)
	check(o.MaxRecordBytes >= 1 && o.MaxRecordBytes <= maxFramePayload, "MaxRecordBytes is %d: use 1 to %d", o.MaxRecordBytes, maxFramePayload)
	check(o.RingBytes > 0 && o.RingBytes <= 1<<30, "RingBytes is %d: use at most 1 GiB", o.RingBytes)
	if len(problems) > 0 {
		return o, errors.Join(problems...)
	}
	o.RingBytes = max(1<<bits.Len(uint(o.RingBytes-1)), pageBytes)
	check(o.RingBytes >= 8*(o.MaxRecordBytes+ringRecordHeader), "RingBytes is %d: use at least 8 times MaxRecordBytes (%d)", o.RingBytes, o.MaxRecordBytes)
	least := int64(segmentHeaderBytes + markBytes + frameBytes(o.MaxRecordBytes))
	check(o.SegmentBytes >= least, "SegmentBytes is %d: use at least %d, so that the largest record fits", o.SegmentBytes, least)
	rings := int64(o.Shards) * int64(o.RingBytes)
	check(o.MaxBytes >= rings+2*o.SegmentBytes, "MaxBytes is %d: use at least %d, the rings and two segments", o.MaxBytes, rings+2*o.SegmentBytes)
	return o, errors.Join(problems...)
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}
