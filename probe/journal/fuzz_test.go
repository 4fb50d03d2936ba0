package journal

import (
	"io"
	"testing"
	"time"
)

// gapped is a journal file without the large table that is not read: so many bytes of
// its beginning, and those from objects on.
type gapped []byte

func (g gapped) ReadAt(p []byte, at int64) (n int, err error) {
	clear(p)
	for _, part := range []struct {
		at    int64
		bytes []byte
	}{{0, g[:min(len(g), tables)]}, {objects, g[min(len(g), tables):]}} {
		from := max(at, part.at)
		if end := min(at+int64(len(p)), part.at+int64(len(part.bytes))); from < end {
			copy(p[from-at:], part.bytes[from-part.at:end-part.at])
		}
	}
	if at+int64(len(p)) > g.size() {
		return 0, io.ErrUnexpectedEOF
	}
	return len(p), nil
}

func (g gapped) size() int64 { return objects + int64(len(g)) }

// No bytes make the reader panic or go on without end. The seeds are real files.
func FuzzEntries(f *testing.F) {
	const used = 80 << 10 // of the objects; the rest is free
	for _, name := range []string{"regular", "compact", "compact-zstd"} {
		content := load(f, name)
		parts := append(content[:tables:tables], content[objects:objects+used]...)
		f.Add(parts, 0, byte(0))
		f.Add(parts, headerFieldTable, byte(8))
		f.Add(parts, tables+entryItems, byte(1))
	}
	f.Fuzz(func(t *testing.T, content []byte, at int, with byte) {
		if at >= 0 && at < len(content) {
			content[at] ^= with
		}
		file, err := Open(gapped(content), gapped(content).size())
		if err != nil {
			return
		}
		all := func(string, string) bool { return true }
		_ = file.Entries(time.Time{}, all, func(e *Entry) {
			if len(e.Message) > maxMessage+len("MESSAGE=") {
				t.Errorf("a message of %d bytes", len(e.Message))
			}
		})
		if file.reads > maxReads+1 {
			t.Errorf("%d reads", file.reads)
		}
	})
}
