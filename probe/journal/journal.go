// Package journal reads systemd's journal files: entries of some units or of the
// kernel, since a time, and of each entry the few fields that a line of a log
// needs. It follows systemd's docs/JOURNAL_FILE_FORMAT.md, for regular and compact
// files.
//
// A file may be damaged, truncated, written to meanwhile, or made to do harm: what
// is read of it is bounded, and no chain in it is followed in a circle. The package
// opens no file itself, writes none, and decompresses nothing: an entry whose
// message is compressed says so.
package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrFormat is wrapped by the errors of a file that is not a journal, is damaged, or is
// of a kind that is not known.
var ErrFormat = errors.New("not a readable journal file")

// ErrBound says that a file was not read to its end: that would take more reads than
// are made of one file.
var ErrBound = errors.New("the journal file is too large to be read whole")

// The bounds of reading one file.
const (
	maxReads   = 1_000_000
	maxItems   = 1024    // fields of an entry
	maxMessage = 4 << 10 // bytes of a message that are kept
	maxCached  = 10_000  // fields whose values are remembered
	maxValue   = 256     // bytes of a value by which entries are chosen, or that is remembered
	// maxOlder is how many entries in a row may be older than asked for before the
	// rest is taken to be so too. A clock that is set at boot makes some out of order.
	maxOlder = 2000
)

// Flags of the header (incompatible_flags): what a reader has to know to read on.
const (
	flagCompact = 1 << 4
	knownFlags  = 1<<5 - 1 // XZ, LZ4, keyed hashes, ZSTD, compact
)

// The layout of the header: offsets of its fields in bytes.
const (
	headerSignature     = 0
	headerIncompatible  = 12
	headerFieldTable    = 120
	headerFieldTableLen = 128
	headerTailRealtime  = 192
	leastHeader         = 208 // of the oldest files
)

// File is a journal file.
type File struct {
	from    io.ReaderAt
	size    uint64
	compact bool
	// fieldTable is where the hash table of field names is, and its length in bytes.
	fieldTable, fieldTableLen uint64
	// Last is the time of the newest entry, by the clock of the host.
	Last  time.Time
	reads int
	known map[uint64]field // data objects by their offset
}

// Open reads the header of a journal file of so many bytes.
func Open(from io.ReaderAt, size int64) (*File, error) {
	f := &File{from: from, size: uint64(max(size, 0)), known: make(map[uint64]field)}
	header, err := f.read(0, leastHeader)
	switch {
	case err != nil:
		return nil, err
	case string(header[headerSignature:8]) != "LPKSHHRH":
		return nil, fmt.Errorf("%w: it has another signature", ErrFormat)
	}
	flags := binary.LittleEndian.Uint32(header[headerIncompatible:])
	if flags&^knownFlags != 0 {
		return nil, fmt.Errorf("%w: flags %#x are of a later format", ErrFormat, flags)
	}
	f.compact = flags&flagCompact != 0
	f.fieldTable = number(header, headerFieldTable)
	f.fieldTableLen = number(header, headerFieldTableLen)
	f.Last = wall(number(header, headerTailRealtime))
	return f, nil
}

// read returns length bytes at an offset.
func (f *File) read(at, length uint64) ([]byte, error) {
	if f.reads++; f.reads > maxReads {
		return nil, ErrBound
	}
	if at > f.size || length > f.size-at {
		return nil, fmt.Errorf("%w: it ends before offset %d", ErrFormat, at)
	}
	bytes := make([]byte, length)
	if _, err := f.from.ReadAt(bytes, int64(at)); err != nil {
		return nil, fmt.Errorf("reading the journal at offset %d: %w", at, err)
	}
	return bytes, nil
}

func number(bytes []byte, at int) uint64 { return binary.LittleEndian.Uint64(bytes[at:]) }

// wall is the time of a realtime stamp, which is in microseconds; the zero Time for one
// that no clock has.
func wall(stamp uint64) time.Time {
	const latest = 1 << 53
	if stamp == 0 || stamp > latest {
		return time.Time{}
	}
	return time.UnixMicro(int64(stamp))
}

func circle(at uint64) error {
	return fmt.Errorf("%w: the chain at offset %d leads back", ErrFormat, at)
}
