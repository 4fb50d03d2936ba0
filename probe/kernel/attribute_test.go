//go:build linux

package kernel

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// attribute encodes one attribute, padded.
func attribute(kind uint16, value ...byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func TestParse(t *testing.T) {
	header := []byte{1, 2, 3, 4}
	nested := attribute(9, 0, 0, 1, 2)
	message := slices.Concat(header, attribute(1, 'e', 't', 'h', '0', 0), attribute(2|unix.NLA_F_NESTED, nested...),
		attribute(3, 7), attribute(1, 'b'), attribute(4))
	a := Parse(message, len(header))
	if len(a) != 5 {
		t.Fatalf("%+v", a)
	}
	if a.Text(1) != "eth0" || a.U8(3) != 7 || a.Get(4) == nil || a.Get(5) != nil || a.U32(3) != 0 {
		t.Errorf("%+v", a)
	}
	if number, ok := a.Nested(2).Has(9); !ok || number != 0x102 {
		t.Errorf("%#x %t", number, ok)
	}
	if _, ok := a.Has(3); ok || a.Big(5) != 0 {
		t.Error("a number of one octet, or of none")
	}
	if a[2].U16() != 0 || a[4].U8() != 0 {
		t.Error("a number beyond the value")
	}
}

// What is cut off, or has no length, ends the list.
func TestParseCut(t *testing.T) {
	whole := attribute(1, 1, 2, 3, 4)
	for name, rest := range map[string][]byte{
		"cut value": attribute(2, 1, 2, 3, 4)[:6], "cut header": {8, 0, 2}, "no length": {0, 0, 2, 0}, "nothing": nil,
	} {
		if a := Parse(slices.Concat(whole, rest), 0); len(a) != 1 || a[0].Kind != 1 {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := Parse(whole, 99); len(a) != 0 {
		t.Errorf("behind the end: %+v", a)
	}
}

func TestAppend(t *testing.T) {
	request := Append(Append([]byte{1, 0, 0, 0}, 3, "table"), 4, "abc")
	a := Parse(request, 4)
	if len(request)%4 != 0 || a.Text(3) != "table" || a.Text(4) != "abc" || len(a.Get(4)) != 4 {
		t.Errorf("%q", request)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(attribute(1, 1, 2, 3), 0)
	f.Fuzz(func(t *testing.T, message []byte, header int) {
		if header < 0 {
			return
		}
		size := min(header, len(message))
		for _, a := range Parse(message, header) {
			size += 4 + len(a.Value)
			a.U32()
			a.U16()
			a.U8()
			a.Text()
		}
		if size > len(message) {
			t.Errorf("%d bytes of attributes in %d", size, len(message))
		}
	})
}
