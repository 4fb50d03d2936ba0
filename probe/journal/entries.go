package journal

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// The fields by which entries are chosen.
const (
	FieldUnit      = "_SYSTEMD_UNIT"
	FieldTransport = "_TRANSPORT"
)

// Entry is what is kept of an entry.
type Entry struct {
	Time       time.Time // when journald got it, by the clock of the host
	Message    string    // its first 4 KiB
	Unit       string    // e.g. "k3s.service"; empty for the kernel
	Transport  string    // e.g. "journal", "stdout", "kernel"
	Identifier string    // of the program, as it gave it (SYSLOG_IDENTIFIER)
	Comm       string    // name of the process
	Compressed bool      // the message is compressed, and was not read
}

// Entries passes the entries since a time to each that have one of the wanted values of
// FieldUnit or FieldTransport, those of one value together, newest first. An error says
// that there may be more; what was passed is good.
func (f *File) Entries(since time.Time, wanted func(name, value string) bool, each func(*Entry)) error {
	var damaged error
	for _, name := range []string{FieldUnit, FieldTransport} {
		err := f.values(name, func(d field) {
			if wanted(name, d.value) {
				damaged = cmp.Or(damaged, f.entriesOf(d, uint64(max(since.UnixMicro(), 0)), each))
			}
		})
		damaged = cmp.Or(damaged, err)
	}
	return damaged
}

// values passes all values of a field that the file has.
func (f *File) values(name string, each func(field)) error {
	head, err := f.headData(name)
	if err != nil || head == 0 {
		return err
	}
	for at := head; at != 0; {
		d, err := f.data(at, maxValue)
		if err != nil {
			return err
		}
		if d.name == name {
			each(d)
		}
		if d.next >= at { // each was put before those that were there
			return circle(at)
		}
		at = d.next
	}
	return nil
}

// headData finds a field by its name and returns where its newest value is, 0 if no
// entry has the field. The table is read whole: how a name is hashed differs by file.
func (f *File) headData(name string) (uint64, error) {
	const bucket, most = 16, 1 << 20
	table, err := f.read(f.fieldTable, min(f.fieldTableLen, most))
	if err != nil {
		return 0, err
	}
	for ; len(table) >= bucket; table = table[bucket:] {
		for at := number(table, 0); at != 0; {
			o, err := f.object(at, typeField, fieldPayload, fieldPayload+maxValue)
			if err != nil {
				return 0, err
			}
			if string(o.bytes[fieldPayload:]) == name {
				return number(o.bytes, fieldHeadData), nil
			}
			next := number(o.bytes, nextInHash)
			if next != 0 && next <= at { // each was put behind those that were there
				return 0, circle(at)
			}
			at = next
		}
	}
	return 0, nil
}

// entriesOf passes the entries that have a field, newest first. What cannot be read of
// them is left out, and the first reason for it returned.
func (f *File) entriesOf(d field, since uint64, each func(*Entry)) error {
	arrays, damaged := f.arrays(d.array)
	older := 0
	one := func(at uint64) (more bool) {
		e, err := f.entry(at)
		switch {
		case err != nil:
		case e.realtime < since:
			older++
		default:
			older = 0
			err = f.pass(e, each)
		}
		damaged = cmp.Or(damaged, err)
		return older < maxOlder && !errors.Is(err, ErrBound)
	}
	for _, array := range slices.Backward(arrays) {
		more, err := f.backwards(array, one)
		damaged = cmp.Or(damaged, err)
		if !more {
			return damaged
		}
	}
	if d.entry != 0 {
		one(d.entry)
	}
	return damaged
}

// arrays returns where the arrays of entries are, in their order, which is that of
// time. With an error it returns those before it.
func (f *File) arrays(at uint64) (arrays []object, err error) {
	for at != 0 {
		o, err := f.object(at, typeEntryArray, arrayItems, arrayItems)
		if err != nil {
			return arrays, err
		}
		arrays = append(arrays, o)
		next := number(o.bytes, arrayNext)
		if next != 0 && next <= at {
			return arrays, circle(at)
		}
		at = next
	}
	return arrays, nil
}

// backwards passes the items of an array, last first, and reports whether each wanted
// more after all of them. Those that are 0 are still free.
func (f *File) backwards(array object, each func(at uint64) bool) (more bool, err error) {
	const most = 512
	size := f.itemSize(false)
	for left := (array.size - arrayItems) / size; left > 0; {
		n := min(left, most)
		left -= n
		items, err := f.read(array.at+arrayItems+left*size, n*size)
		if err != nil {
			return !errors.Is(err, ErrBound), err
		}
		for i := int(n) - 1; i >= 0; i-- {
			if at := f.offset(items[uint64(i)*size:]); at != 0 && !each(at) {
				return false, nil
			}
		}
	}
	return true, nil
}

// pass reads the fields of an entry.
func (f *File) pass(e entry, each func(*Entry)) error {
	made := &Entry{Time: wall(e.realtime)}
	read := false
	for _, at := range f.items(e) {
		d, err := f.field(at)
		if err != nil {
			return err
		}
		switch d.name {
		case "MESSAGE":
			read = true
			made.Message = d.value
		case FieldUnit:
			made.Unit = d.value
		case FieldTransport:
			made.Transport = d.value
		case "SYSLOG_IDENTIFIER":
			made.Identifier = d.value
		case "_COMM":
			made.Comm = d.value
		}
		made.Compressed = made.Compressed || d.compressed
	}
	made.Compressed = made.Compressed && !read // what is compressed is another field
	each(made)
	return nil
}

// field reads a field of an entry. Most are those of many entries, and remembered.
func (f *File) field(at uint64) (field, error) {
	if d, known := f.known[at]; known {
		return d, nil
	}
	d, err := f.data(at, uint64(len("MESSAGE="))+maxMessage)
	if err == nil && d.name != "MESSAGE" && len(d.value) <= maxValue && len(f.known) < maxCached {
		f.known[at] = d
	}
	return d, err
}
