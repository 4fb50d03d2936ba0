package vm

import (
	"fmt"
	"io"
)

// File types of a cpio header's mode, as in inode(7).
const (
	cpioDir  = 0o040000
	cpioFile = 0o100000
	cpioLink = 0o120000
	cpioChar = 0o020000
)

// cpioWriter writes a "newc" archive, the format in which the kernel takes an initramfs:
// https://docs.kernel.org/driver-api/early-userspace/buffer-format.html. All owners are root, all times zero, so that
// equal input gives equal bytes. The first error is kept and returned by close.
type cpioWriter struct {
	out   io.Writer
	inode uint32
	err   error
}

func (w *cpioWriter) dir(name string) { w.entry(name, cpioDir|0o755, nil, 0, 0) }
func (w *cpioWriter) file(name string, perm uint32, data []byte) {
	w.entry(name, cpioFile|perm, data, 0, 0)
}
func (w *cpioWriter) link(name, target string) { w.entry(name, cpioLink|0o777, []byte(target), 0, 0) }
func (w *cpioWriter) char(name string, perm, major, minor uint32) {
	w.entry(name, cpioChar|perm, nil, major, minor)
}

// close writes the trailer. It does not close the underlying writer.
func (w *cpioWriter) close() error {
	w.inode = 0xffffffff // entry counts it up to the trailer's 0
	w.entry("TRAILER!!!", 0, nil, 0, 0)
	return w.err
}

func (w *cpioWriter) entry(name string, mode uint32, data []byte, major, minor uint32) {
	if w.err != nil {
		return
	}
	if uint64(len(data)) > 0xffffffff {
		w.err = fmt.Errorf("cpio entry %s: %d bytes do not fit the format", name, len(data))
		return
	}
	w.inode++
	links := uint32(1)
	if mode&0o170000 == cpioDir {
		links = 2
	}
	header := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		w.inode, mode, 0, 0, links, 0, len(data), 0, 0, major, minor, len(name)+1, 0)
	w.write(append([]byte(header+name), 0))
	w.write(data)
}

// write appends b and pads to the format's 4 bytes; header, name and contents each end on such a boundary.
func (w *cpioWriter) write(b []byte) {
	if w.err != nil {
		return
	}
	if _, w.err = w.out.Write(b); w.err == nil {
		_, w.err = w.out.Write(make([]byte, -len(b)&3))
	}
}
