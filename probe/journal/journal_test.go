package journal

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The parts of the files in testdata: the header with the table of field names, up to
// tables; and all other objects, from objects on, behind a large table that is not read.
const (
	tables  = 5624
	objects = 3733872
)

// load returns a journal file that testdata/make.sh has made.
func load(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.Open("testdata/" + name + ".journal.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	packed, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(packed)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// asked is what testdata/make.sh asks journalctl for.
func asked(name, value string) bool {
	return name == FieldUnit && value == "k3s.service" || name == FieldTransport && value == "kernel"
}

// entriesOf reads a file and returns its entries in the order of time.
func entriesOf(content []byte, since time.Time) ([]Entry, error) {
	file, err := Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	var all []Entry
	err = file.Entries(since, asked, func(e *Entry) { all = append(all, *e) })
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Message, b.Message)) })
	return all, err
}

// printed are the entries that journalctl printed of the same lines.
func printed(t *testing.T) (all []Entry) {
	t.Helper()
	text, err := os.ReadFile("testdata/lines.json")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var p struct {
			Stamp      string `json:"__REALTIME_TIMESTAMP"`
			Message    string `json:"MESSAGE"`
			Unit       string `json:"_SYSTEMD_UNIT"`
			Transport  string `json:"_TRANSPORT"`
			Identifier string `json:"SYSLOG_IDENTIFIER"`
			Comm       string `json:"_COMM"`
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		micros, err := strconv.ParseInt(p.Stamp, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Entry{
			Time: time.UnixMicro(micros), Message: p.Message, Unit: p.Unit, Transport: p.Transport,
			Identifier: p.Identifier, Comm: p.Comm,
		})
	}
	slices.SortFunc(all, func(a, b Entry) int { return a.Time.Compare(b.Time) })
	return all
}

// What is read is what journalctl prints. Of a compressed message it is said that it
// was not read.
func TestAsJournalctl(t *testing.T) {
	want := printed(t)
	if len(want) < 50 {
		t.Fatalf("journalctl printed %d lines", len(want))
	}
	for _, name := range []string{"regular", "compact", "regular-zstd", "compact-zstd"} {
		got, err := entriesOf(load(t, name), time.Time{})
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %d entries, want %d: %v", name, len(got), len(want), err)
			continue
		}
		unread := 0
		for i := range want {
			expected := want[i]
			if got[i].Compressed {
				unread++
				expected.Message = ""
				expected.Compressed = true
			}
			if got[i] != expected {
				t.Errorf("%s: entry %d is %+v, want %+v", name, i, got[i], expected)
			}
		}
		if compressed := strings.HasSuffix(name, "zstd"); compressed != (unread == 1) {
			t.Errorf("%s: %d messages were not read", name, unread)
		}
	}
}

// Entries of a boot with a wrong clock do not end the reading of those before.
func TestSince(t *testing.T) {
	want := printed(t)
	since := want[len(want)-25].Time
	got, err := entriesOf(load(t, "compact"), since)
	if err != nil || len(got) != 25 || !got[0].Time.Equal(since) {
		t.Errorf("%d entries since %s: %v", len(got), since, err)
	}
	if got, err = entriesOf(load(t, "regular"), want[len(want)-1].Time.Add(time.Second)); err != nil || len(got) > 0 {
		t.Errorf("%d entries after the last: %v", len(got), err)
	}
}

func TestNoJournal(t *testing.T) {
	header := load(t, "regular")[:4096]
	later := bytes.Clone(header)
	later[headerIncompatible+1] = 1
	for name, content := range map[string][]byte{
		"empty": {}, "another file": bytes.Repeat([]byte("x"), 4096), "a later format": later, "half a header": header[:100],
	} {
		if _, err := entriesOf(content, time.Time{}); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of a file that was cut off, what is there is read, and that something is missing is
// an error.
func TestTruncated(t *testing.T) {
	whole := load(t, "regular")
	all, err := entriesOf(whole, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	some := false
	for length := objects - 1; length < objects+200<<10; length += 4093 {
		got, err := entriesOf(whole[:length], time.Time{})
		if len(got) < len(all) && err == nil {
			t.Fatalf("%d of %d entries of the first %d bytes, and no error", len(got), len(all), length)
		}
		some = some || len(got) > 0 && len(got) < len(all)
	}
	if !some {
		t.Error("no truncated file had some of the entries")
	}
}

// A chain that leads back to itself ends.
func TestCircles(t *testing.T) {
	for _, name := range []string{"regular", "compact"} {
		content := load(t, name)
		file, err := Open(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		head, err := file.headData(FieldUnit)
		if err != nil {
			t.Fatal(err)
		}
		unit, err := file.data(head, maxValue)
		if err != nil {
			t.Fatal(err)
		}
		for what, at := range map[string][2]uint64{
			"the next value is the same":    {head + dataNextOfField, head},
			"the next array is the same":    {unit.array + arrayNext, unit.array},
			"the first array is the value":  {head + dataEntryArray, head},
			"the first entry is the value":  {head + dataFirstEntry, head},
			"the value is beyond the end":   {head + dataNextOfField, uint64(len(content)) + 8},
			"the array is of immense size":  {unit.array + 8, 1 << 62},
			"the array is at an odd offset": {head + dataEntryArray, unit.array + 1},
		} {
			bad := bytes.Clone(content)
			for i := range 8 {
				bad[int(at[0])+i] = byte(at[1] >> (8 * i))
			}
			file, err := Open(bytes.NewReader(bad), int64(len(bad)))
			if err != nil {
				t.Fatal(err)
			}
			all := func(string, string) bool { return true }
			if err := file.Entries(time.Time{}, all, func(*Entry) {}); !errors.Is(err, ErrFormat) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
	}
}

// A file whose lists name the same entries over and over is read to a bound.
func TestBound(t *testing.T) {
	content := load(t, "compact")
	file, err := Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	file.reads = maxReads - 50
	if err := file.Entries(time.Time{}, asked, func(*Entry) {}); !errors.Is(err, ErrBound) {
		t.Error(err)
	}
}
