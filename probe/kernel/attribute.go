//go:build linux

package kernel

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Attributes are those of a netlink message, or nested in one of them.
type Attributes []Attribute

// Attribute is one netlink attribute. Its methods return zero if the value is
// too short.
type Attribute struct {
	Kind  uint16
	Value []byte
}

// Parse splits what follows the header of a message. What is cut off at the end
// is left out.
func Parse(message []byte, header int) Attributes {
	const own = 4 // length and kind
	var list Attributes
	for rest := message[min(header, len(message)):]; len(rest) >= own; {
		length := int(binary.NativeEndian.Uint16(rest))
		if length < own || length > len(rest) {
			break
		}
		kind := binary.NativeEndian.Uint16(rest[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		list = append(list, Attribute{kind, rest[own:length]})
		rest = rest[min((length+3)&^3, len(rest)):]
	}
	return list
}

// Append adds an attribute with a text to a request.
func Append(request []byte, kind uint16, text string) []byte {
	length := 4 + len(text) + 1
	request = binary.NativeEndian.AppendUint16(request, uint16(length))
	request = binary.NativeEndian.AppendUint16(request, kind)
	request = append(append(request, text...), 0)
	for len(request)%4 != 0 {
		request = append(request, 0)
	}
	return request
}

// Get returns the value of an attribute, nil if there is none of the kind.
func (list Attributes) Get(kind uint16) []byte {
	for _, a := range list {
		if a.Kind == kind {
			return a.Value
		}
	}
	return nil
}

// Text returns an attribute that is a text.
func (list Attributes) Text(kind uint16) string { return Attribute{kind, list.Get(kind)}.Text() }

// U32 returns an attribute that is a number in the byte order of the host.
func (list Attributes) U32(kind uint16) uint32 { return Attribute{kind, list.Get(kind)}.U32() }

// U8 returns an attribute of one octet.
func (list Attributes) U8(kind uint16) uint8 { return Attribute{kind, list.Get(kind)}.U8() }

// Nested returns the attributes in an attribute.
func (list Attributes) Nested(kind uint16) Attributes { return Parse(list.Get(kind), 0) }

// Has returns an attribute that is a big-endian number, as nf_tables writes
// them, and whether there is one.
func (list Attributes) Has(kind uint16) (uint32, bool) {
	value := list.Get(kind)
	if len(value) < 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(value), true
}

// Big is Has for an attribute whose absence stands for zero.
func (list Attributes) Big(kind uint16) uint32 {
	number, _ := list.Has(kind)
	return number
}

// U32 reads a number in the byte order of the host.
func (a Attribute) U32() uint32 {
	if len(a.Value) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(a.Value)
}

// U16 reads a number in the byte order of the host.
func (a Attribute) U16() uint16 {
	if len(a.Value) < 2 {
		return 0
	}
	return binary.NativeEndian.Uint16(a.Value)
}

// U8 reads one octet.
func (a Attribute) U8() uint8 {
	if len(a.Value) < 1 {
		return 0
	}
	return a.Value[0]
}

// Text reads a text that ends at the first zero octet.
func (a Attribute) Text() string { return unix.ByteSliceToString(a.Value) }
