package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The types of objects that are read.
const (
	typeData       = 1
	typeField      = 2
	typeEntry      = 3
	typeEntryArray = 6
)

// compressed are the flags of a data object whose payload is compressed, by XZ, LZ4
// or ZSTD.
const compressed = 1<<3 - 1

// The layout of objects: offsets of their fields in bytes. The first 16 are a type, flags
// and the object's size.
const (
	objectHeader     = 16
	nextInHash       = 24 // of a data or a field object
	dataNextOfField  = 32
	dataFirstEntry   = 40
	dataEntryArray   = 48
	dataPayload      = 64
	dataPayloadShort = 72 // in a compact file, where two numbers more precede it
	fieldHeadData    = 32
	fieldPayload     = 40
	entryRealtime    = 24
	entryItems       = 64
	arrayNext        = 16
	arrayItems       = 24
)

// object is the beginning of an object.
type object struct {
	at, size uint64 // size as the object says
	flags    byte
	bytes    []byte
}

// object reads an object of a kind: its first bytes, so many if it has as many, but
// the least that are given.
func (f *File) object(at uint64, kind byte, least, most uint64) (object, error) {
	if at == 0 || at%8 != 0 {
		return object{}, fmt.Errorf("%w: no object is at offset %d", ErrFormat, at)
	}
	if at > f.size || f.size-at < least {
		return object{}, fmt.Errorf("%w: it ends before offset %d", ErrFormat, at)
	}
	const usual = 512 // bytes, more than most objects have
	head, err := f.read(at, min(most, usual, f.size-at))
	if err != nil {
		return object{}, err
	}
	o := object{at: at, size: number(head, 8), flags: head[1], bytes: head}
	if head[0] != kind || o.size < least || o.size > f.size-at {
		return object{}, fmt.Errorf("%w: the object at offset %d is not the one that is expected there", ErrFormat, at)
	}
	switch wanted := min(o.size, most); {
	case wanted > uint64(len(head)):
		o.bytes, err = f.read(at, wanted)
	default:
		o.bytes = head[:wanted]
	}
	return o, err
}

// field is a field of an entry, as a data object has it.
type field struct {
	name, value string
	compressed  bool
	// entry and array are where the entries are that have it: the first, and the others.
	entry, array uint64
	next         uint64 // the data object of the same field that was made before
}

// data reads a data object, of whose value so many bytes are kept at most.
func (f *File) data(at, most uint64) (field, error) {
	payload := uint64(dataPayload)
	if f.compact {
		payload = dataPayloadShort
	}
	o, err := f.object(at, typeData, payload, payload+most)
	if err != nil {
		return field{}, err
	}
	d := field{
		entry: number(o.bytes, dataFirstEntry), array: number(o.bytes, dataEntryArray),
		next: number(o.bytes, dataNextOfField), compressed: o.flags&compressed != 0,
	}
	if !d.compressed {
		name, value, _ := bytes.Cut(o.bytes[payload:], []byte("="))
		d.name = string(name)
		d.value = string(value)
	}
	return d, nil
}

// entry is the beginning of an entry object.
type entry struct {
	object
	realtime uint64 // in microseconds
}

func (f *File) entry(at uint64) (entry, error) {
	o, err := f.object(at, typeEntry, entryItems, entryItems+maxItems*f.itemSize(true))
	if err != nil {
		return entry{}, err
	}
	return entry{object: o, realtime: number(o.bytes, entryRealtime)}, nil
}

// items are where the data objects of an entry are.
func (f *File) items(e entry) (offsets []uint64) {
	size := int(f.itemSize(true))
	for rest := e.bytes[entryItems:]; len(rest) >= size; rest = rest[size:] {
		offsets = append(offsets, f.offset(rest))
	}
	return offsets
}

// itemSize is how many bytes an item has, of an entry or of an array of entries: in a
// regular file that of an entry has a hash besides the offset.
func (f *File) itemSize(ofEntry bool) uint64 {
	const short, regular, hash = 4, 8, 8
	switch {
	case f.compact:
		return short
	case ofEntry:
		return regular + hash
	}
	return regular
}

// offset reads an offset as this file has them in lists.
func (f *File) offset(bytes []byte) uint64 {
	if f.compact {
		return uint64(binary.LittleEndian.Uint32(bytes))
	}
	return binary.LittleEndian.Uint64(bytes)
}
