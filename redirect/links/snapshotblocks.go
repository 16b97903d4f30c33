package links

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
)

// A blockWriter writes a snapshot's blocks and remembers the first failure. It
// flushes to disk as it goes: a gigabyte flushed at once would stall the spool.
type blockWriter struct {
	ctx      context.Context
	to       *bufio.Writer
	toDisk   func() error
	unsynced int
	err      error
}

const syncEveryBytes = 16 << 20

func newBlockWriter(ctx context.Context, to io.Writer, toDisk func() error) *blockWriter {
	w := &blockWriter{ctx: ctx, to: bufio.NewWriterSize(to, 256<<10), toDisk: toDisk}
	w.write([]byte(snapshotMagic))
	w.write(binary.LittleEndian.AppendUint32(nil, snapshotVersion))
	return w
}

// block writes a block, unless writing has failed or is no longer wanted.
func (w *blockWriter) block(kind byte, payload []byte) {
	w.fail(w.ctx.Err())
	header := make([]byte, 0, blockHeaderBytes)
	header = append(header, kind)
	header = binary.LittleEndian.AppendUint32(header, uint32(len(payload)))
	header = binary.LittleEndian.AppendUint32(header, blockCRC(kind, payload))
	w.write(header)
	w.write(payload)
	if w.unsynced >= syncEveryBytes {
		w.sync()
	}
}

func (w *blockWriter) json(kind byte, value any) {
	payload, err := json.Marshal(value)
	w.fail(err)
	w.block(kind, payload)
}

func (w *blockWriter) write(p []byte) {
	if w.err == nil {
		_, w.err = w.to.Write(p)
		w.unsynced += len(p)
	}
}

func (w *blockWriter) sync() {
	w.fail(w.to.Flush())
	if w.err == nil {
		w.err = w.toDisk()
	}
	w.unsynced = 0
}

func (w *blockWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// finish brings everything to disk and returns the first failure.
func (w *blockWriter) finish() error {
	w.sync()
	return w.err
}

func blockCRC(kind byte, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte{kind}, crcTable), crcTable, payload)
}

// A blockReader reads a snapshot's blocks.
type blockReader struct {
	from *bufio.Reader
}

// openBlocks checks magic and version.
func openBlocks(from io.Reader) (*blockReader, error) {
	r := &blockReader{from: bufio.NewReaderSize(from, 64<<10)}
	head := make([]byte, len(snapshotMagic)+4)
	if _, err := io.ReadFull(r.from, head); err != nil {
		return nil, fmt.Errorf("%w: %w", errSnapshot, err)
	}
	if string(head[:len(snapshotMagic)]) != snapshotMagic {
		return nil, fmt.Errorf("%w: not a snapshot of links", errSnapshot)
	}
	if version := binary.LittleEndian.Uint32(head[len(snapshotMagic):]); version != snapshotVersion {
		return nil, fmt.Errorf("%w: version %d, this program writes %d", errSnapshot, version, snapshotVersion)
	}
	return r, nil
}

// next reads a block into memory that room returns for its kind and length.
func (r *blockReader) next(room func(kind byte, bytes int) []byte) (kind byte, payload []byte, err error) {
	var header [blockHeaderBytes]byte
	if _, err := io.ReadFull(r.from, header[:]); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errSnapshot, err)
	}
	kind = header[0]
	size := binary.LittleEndian.Uint32(header[1:])
	if size > maxBlockBytes || kind == blockLinks && size > maxChunkBytes {
		return 0, nil, fmt.Errorf("%w: block of %d bytes", errSnapshot, size)
	}
	payload = room(kind, int(size))
	if _, err := io.ReadFull(r.from, payload); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errSnapshot, err)
	}
	if blockCRC(kind, payload) != binary.LittleEndian.Uint32(header[5:]) {
		return 0, nil, fmt.Errorf("%w: checksum of block %q is wrong", errSnapshot, kind)
	}
	return kind, payload, nil
}

// end makes sure that nothing follows.
func (r *blockReader) end() error {
	if _, err := r.from.ReadByte(); err != io.EOF {
		return fmt.Errorf("%w: bytes after its end", errSnapshot)
	}
	return nil
}
