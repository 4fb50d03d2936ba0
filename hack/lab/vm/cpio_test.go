package vm

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// TestCPIO compares with the layout that the kernel documents, field by field, with a reader of its own.
func TestCPIO(t *testing.T) {
	var out bytes.Buffer
	w := cpioWriter{out: &out}
	w.dir("bin")
	w.file("bin/tool", 0o755, []byte("hello"))
	w.file("empty", 0o600, nil)
	w.link("bin/sh", "tool")
	w.char("dev/console", 0o600, 5, 1)
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"bin 40755 links 2 ",
		"bin/tool 100755 links 1 hello",
		"empty 100600 links 1 ",
		"bin/sh 120777 links 1 tool",
		"dev/console 20600 links 1 device 5:1 ",
		"TRAILER!!! 0 links 1 ",
	}
	got, err := readCPIO(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("read back:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestCPIOHeader holds one entry against bytes that were written down by hand.
func TestCPIOHeader(t *testing.T) {
	var out bytes.Buffer
	w := cpioWriter{out: &out}
	w.file("ab", 0o644, []byte("xyz"))
	want := "070701" + "00000001" + "000081a4" + "00000000" + "00000000" + "00000001" + "00000000" + "00000003" +
		"00000000" + "00000000" + "00000000" + "00000000" + "00000003" + "00000000" + "ab\x00" + "\x00\x00\x00" + "xyz" + "\x00"
	if out.String() != want {
		t.Errorf("entry:\n%s\nwant:\n%s", hex.Dump(out.Bytes()), hex.Dump([]byte(want)))
	}
}

func TestCPIOKeepsTheFirstError(t *testing.T) {
	w := cpioWriter{out: failing{}}
	w.dir("a")
	w.dir("b")
	if err := w.close(); err == nil || err.Error() != "write 1" {
		t.Errorf("close says %v, want the first write's error", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, fmt.Errorf("write 1") }

func readCPIO(raw []byte) (entries []string, err error) {
	for len(raw) > 0 {
		if len(raw) < 110 || string(raw[:6]) != "070701" {
			return entries, fmt.Errorf("no header at %q", raw[:min(len(raw), 20)])
		}
		var field [13]int
		for i := range field {
			n, err := strconv.ParseUint(string(raw[6+8*i:14+8*i]), 16, 32)
			if err != nil {
				return entries, err
			}
			field[i] = int(n)
		}
		size, name := field[6], field[11]
		body := (110 + name + 3) &^ 3
		entry := fmt.Sprintf("%s %o links %d ", raw[110:110+name-1], field[1], field[4])
		if field[9] != 0 {
			entry += fmt.Sprintf("device %d:%d ", field[9], field[10])
		}
		entries = append(entries, entry+string(raw[body:body+size]))
		raw = raw[(body+size+3)&^3:]
	}
	return entries, nil
}
