package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kubectl-wg/kubectl-wg/plugin/pcap"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// sink is where the frames of a capture go.
type sink interface {
	frame(node string, frame *evidence.Frame) error
	count(node string, count *evidence.FrameCount) error
	// flush writes out what was given so far.
	flush() error
	close() error
}

// captureSink returns the sink that the flags name.
func (r *root) captureSink(f *captureFlags) (sink, error) {
	about := pcap.About{
		Program: "kubectl wg " + version, Filter: f.pick(), Snap: f.snap,
		Comment: "Captured by kubectl wg capture. Each node's frames have the times of its own clock.",
	}
	switch f.write {
	case "":
		return &printedFrames{to: bufio.NewWriter(r.streams.Out)}, nil
	case "-":
		return &pcapngs{about: about, writer: pcap.NewWriter(r.streams.Out, about)}, nil
	}
	files := &pcapngs{about: about, path: f.write, keep: f.rotateKeep}
	if f.rotateSize != "" {
		var err error
		if files.size, err = bytesOf(f.rotateSize); err != nil {
			return nil, err
		}
	}
	return files, files.open()
}

// printedFrames prints a line for each frame.
type printedFrames struct {
	to      *bufio.Writer
	printer pcap.Printer
}

func (l *printedFrames) frame(node string, frame *evidence.Frame) error {
	_, err := fmt.Fprintln(l.to, report.Printable(l.printer.Line(node, frame)))
	return err
}

func (l *printedFrames) count(string, *evidence.FrameCount) error { return nil }
func (l *printedFrames) flush() error                             { return l.to.Flush() }
func (l *printedFrames) close() error                             { return l.to.Flush() }

// pcapngs writes pcapng to stdout or to files, of which the first has the name that was
// asked for, and the next ones a number.
type pcapngs struct {
	about  pcap.About
	writer *pcap.Writer
	path   string // empty for stdout
	file   *os.File
	size   int64 // at which another file begins, 0 for never
	keep   int
	begun  bool     // the file has lost what it had before
	fresh  bool     // there was no such file before
	made   []string // the files that are kept, oldest first
	number int      // of the file that is being written
	counts map[string]map[string]*evidence.FrameCount
	signed time.Time // see sign
}

// open opens a file, which keeps what it has until something is captured. It can
// be read by its owner only: it shows who speaks with whom.
func (p *pcapngs) open() error {
	name := p.path
	if p.number > 0 {
		ending := filepath.Ext(name)
		name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ending), p.number, ending)
	}
	_, missing := os.Stat(name)
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		const hint = "-w names a file in a folder that exists, or - for stdout"
		return usageError(fmt.Errorf("writing the capture: %w", err), hint)
	}
	p.file = file
	p.begun = false
	p.fresh = errors.Is(missing, os.ErrNotExist)
	p.writer = pcap.NewWriter(file, p.about)
	p.made = append(p.made, name)
	return nil
}

// begin empties the file that is to be written.
func (p *pcapngs) begin() error {
	if p.file == nil || p.begun {
		return nil
	}
	p.begun = true
	about, err := p.file.Stat()
	if err == nil && about.Mode().IsRegular() {
		err = p.file.Truncate(0)
	}
	if err != nil {
		return fmt.Errorf("writing the capture: %w", err)
	}
	return nil
}

func (p *pcapngs) frame(node string, frame *evidence.Frame) error {
	if err := p.begin(); err != nil {
		return err
	}
	return p.writer.Frame(node, frame)
}

func (p *pcapngs) count(node string, count *evidence.FrameCount) error {
	if err := p.begin(); err != nil {
		return err
	}
	if p.counts == nil {
		p.counts = make(map[string]map[string]*evidence.FrameCount)
	}
	if p.counts[node] == nil {
		p.counts[node] = make(map[string]*evidence.FrameCount)
	}
	p.counts[node][count.Link] = count
	return p.writer.Count(node, count)
}

// sign is how often something is written to stdout in any case: so it is noticed
// that nobody reads any more, also where nothing is captured.
const sign = 5 * time.Second

func (p *pcapngs) flush() error {
	if p.path == "" && time.Since(p.signed) > sign {
		p.signed = time.Now()
		if err := p.writer.Statistics(p.signed); err != nil {
			return err
		}
	}
	if err := p.writer.Flush(); err != nil {
		return err
	}
	if p.size > 0 && p.writer.Size() >= p.size {
		return p.rotate()
	}
	return nil
}

// rotate ends the file and begins another one, which knows the same links.
func (p *pcapngs) rotate() error {
	if err := p.close(); err != nil {
		return err
	}
	p.number++
	if err := p.open(); err != nil {
		return err
	}
	for len(p.made) > p.keep {
		if err := os.Remove(p.made[0]); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing the oldest file: %w", err)
		}
		p.made = p.made[1:]
	}
	if err := p.begin(); err != nil {
		return err
	}
	for node, counts := range p.counts {
		for _, count := range counts {
			if err := p.writer.Count(node, count); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *pcapngs) close() error {
	if p.file != nil && !p.begun {
		return p.leave()
	}
	err := p.writer.Close(time.Now())
	if p.file != nil {
		err = errors.Join(err, p.file.Close())
		p.file = nil
	}
	return err
}

// leave leaves a file in which nothing was written as it was, or none.
func (p *pcapngs) leave() error {
	err := p.file.Close()
	if p.fresh {
		err = errors.Join(err, os.Remove(p.file.Name()))
	}
	p.file = nil
	return err
}

// readerGone reports whether nobody reads any more what is written: the other
// end of a pipe was closed, which ends a capture as an interrupt does.
func readerGone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
