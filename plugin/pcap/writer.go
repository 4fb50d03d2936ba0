package pcap

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// About is what a file says of the whole capture.
type About struct {
	Program string // and its version
	Comment string
	Filter  string // what was picked, as the command line has it
	Snap    int    // bytes kept of a frame
}

// maxInterfaces bounds the interfaces of one node in a file.
const maxInterfaces = 128

// maxLength bounds what a node may claim a frame to be long: more than the
// largest that the kernel makes, in bytes.
const maxLength = 1 << 24

// Writer writes one pcapng file with the frames of several nodes. Each link of a
// node is an interface of the file, named NODE/LINK. Close has to be called.
type Writer struct {
	about      About
	to         *counter
	file       *pcapgo.NgWriter // nil until there is an interface: a file has one at least
	interfaces []*link
}

// link is a link of a node as an interface of the file. Its place in
// Writer.interfaces is its number.
type link struct {
	node, name string
	rawIP      bool
	count      *evidence.FrameCount // the last, nil if there was none
}

// counter counts what is written.
type counter struct {
	io.Writer
	bytes int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.bytes += int64(n)
	return n, err
}

// NewWriter returns a writer of a file. Nothing is written before the first call.
func NewWriter(to io.Writer, about About) *Writer {
	return &Writer{about: about, to: &counter{Writer: to}}
}

// Size is how many bytes the file has, as far as it was flushed.
func (w *Writer) Size() int64 { return w.to.bytes }

// Frame adds a frame of a node.
func (w *Writer) Frame(node string, frame *evidence.Frame) error {
	id, err := w.link(node, frame.Link, frame.RawIP, "")
	if err != nil {
		return err
	}
	length := min(max(frame.Length, len(frame.Data)), maxLength)
	about := gopacket.CaptureInfo{
		Timestamp: time.Unix(0, frame.Time), CaptureLength: len(frame.Data), Length: length, InterfaceIndex: id,
	}
	if err := w.file.WritePacket(about, frame.Data); err != nil {
		return fmt.Errorf("writing a frame: %w", err)
	}
	return nil
}

// Count keeps what was counted on a link until Close, and names the link in the file.
func (w *Writer) Count(node string, count *evidence.FrameCount) error {
	id, err := w.link(node, count.Link, count.RawIP, count.Role)
	if err != nil {
		return err
	}
	w.interfaces[id].count = count
	return nil
}

// link returns the number of a link's interface, which is new if it was not
// known so far.
func (w *Writer) link(node, name string, rawIP bool, role evidence.LinkRole) (int, error) {
	of := 0
	for i, known := range w.interfaces {
		if known.node == node && known.name == name && known.rawIP == rawIP {
			return i, nil
		}
		if known.node == node {
			of++
		}
	}
	if of == maxInterfaces {
		return 0, fmt.Errorf("%s has sent frames of more than %d links", node, maxInterfaces)
	}
	description := pcapgo.NgInterface{
		Name: plain(node + "/" + name), Description: describe(node, role), Filter: w.about.Filter, OS: "Linux",
		LinkType: layers.LinkTypeEthernet, SnapLength: uint32(w.about.Snap),
		Comment: "Times are by the clock of " + plain(node) + ".",
	}
	if rawIP {
		description.LinkType = layers.LinkTypeRaw
	}
	if err := w.add(description); err != nil {
		return 0, fmt.Errorf("describing the interface %s of %s: %w", plain(name), node, err)
	}
	w.interfaces = append(w.interfaces, &link{node: node, name: name, rawIP: rawIP})
	return len(w.interfaces) - 1, nil
}

// add writes the description of an interface, the first one behind the file's header.
func (w *Writer) add(description pcapgo.NgInterface) (err error) {
	if w.file != nil {
		_, err = w.file.AddInterface(description)
		return err
	}
	section := pcapgo.NgSectionInfo{Application: w.about.Program, Comment: w.about.Comment}
	w.file, err = pcapgo.NewNgWriterInterface(w.to, description, pcapgo.NgWriterOptions{SectionInfo: section})
	return err
}

func describe(node string, role evidence.LinkRole) string {
	switch role {
	case evidence.RoleWireGuard:
		return "WireGuard device of " + plain(node)
	case evidence.RoleInside:
		return "link inside of " + plain(node)
	}
	return "link of " + plain(node)
}

// plain makes a name from a node harmless, where it is not.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '.'
		}
		return r
	}, name)
}

// Flush writes out what was added so far.
func (w *Writer) Flush() error {
	if w.file == nil {
		return nil
	}
	if err := w.file.Flush(); err != nil {
		return fmt.Errorf("writing the capture: %w", err)
	}
	return nil
}

// Statistics adds those of all links until now: received are the frames that were
// looked at, dropped those that the kernel or the probe had no room for.
func (w *Writer) Statistics(now time.Time) error {
	for id, link := range w.interfaces {
		if link.count == nil {
			continue
		}
		statistics := pcapgo.NgInterfaceStatistics{
			LastUpdate: now, EndTime: now,
			PacketsReceived: link.count.Seen + link.count.Drops, PacketsDropped: Lost(link.count),
		}
		if err := w.file.WriteInterfaceStats(id, statistics); err != nil {
			return fmt.Errorf("writing statistics: %w", err)
		}
	}
	return nil
}

// Close ends the file with the statistics. It does not close what the writer
// writes to.
func (w *Writer) Close(now time.Time) error {
	if err := w.Statistics(now); err != nil {
		return err
	}
	return w.Flush()
}

// Lost is how many frames were dropped, by the kernel or by the probe.
func Lost(count *evidence.FrameCount) uint64 { return count.Drops + count.Full }
