//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/capture"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// readerCommand is the first argument of the process that captures as the probe
// does, so that its processor time and memory can be separated from the load's.
const readerCommand = "reader"

// result is what a reader reports at its end.
type result struct {
	Read, Lost uint64
	// Memory is the most memory that it ever had, ring included, in bytes;
	// 0 is not known.
	Memory uint64
}

// reader is a running capture, the probe's or tcpdump's.
type reader struct {
	command *exec.Cmd
	input   io.Closer
	output  *bufio.Reader
	parse   func(string) (result, bool)
	// interrupted: it ends by SIGINT, not by the end of its input.
	interrupted bool
}

// startProbe captures in the namespace with the probe's own package on the
// links that are named.
func startProbe(n *namespace, links ...string) (*reader, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	args := []string{readerCommand}
	for _, name := range links {
		index, err := n.link(name)
		if err != nil {
			return nil, fmt.Errorf("finding %s: %w", name, err)
		}
		args = append(args, fmt.Sprintf("%s=%d", name, index))
	}
	command := exec.Command(self, args...)
	return start(n, command, command.StdoutPipe, "ready", func(line string) (a result, ok bool) {
		return a, json.Unmarshal([]byte(line), &a) == nil
	})
}

// startTcpdump captures everything on eth0 with a buffer as large as the
// probe's, and throws it away.
func startTcpdump(n *namespace) (*reader, error) {
	command := exec.Command("tcpdump", "-n", "-i", "eth0", "-B", "5120", "-w", "/dev/null")
	r, err := start(n, command, command.StderrPipe, "listening on", tcpdumpResult())
	if err == nil {
		r.interrupted = true
	}
	return r, err
}

var tcpdumpCounts = regexp.MustCompile(`^(\d+) packets? (captured|dropped by kernel)`)

// tcpdumpResult reads what tcpdump says at its end: the lines of one reader.
func tcpdumpResult() func(string) (result, bool) {
	var a result
	return func(line string) (result, bool) {
		found := tcpdumpCounts.FindStringSubmatch(line)
		if found == nil {
			return a, false
		}
		n, err := strconv.ParseUint(found[1], 10, 64)
		if err != nil {
			return a, false
		}
		if found[2] == "captured" {
			a.Read = n
			return a, false
		}
		a.Lost = n
		return a, true
	}
}

func start(n *namespace, command *exec.Cmd, pipe func() (io.ReadCloser, error), ready string, parse func(string) (result, bool)) (*reader, error) {
	output, err := pipe()
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", command.Path, err)
	}
	input, err := command.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", command.Path, err)
	}
	if err := n.do(command.Start); err != nil {
		return nil, fmt.Errorf("starting %s: %w", command.Path, err)
	}
	r := &reader{command: command, input: input, output: bufio.NewReader(output), parse: parse}
	for {
		line, err := r.output.ReadString('\n')
		if strings.Contains(line, ready) {
			time.Sleep(100 * time.Millisecond)
			return r, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s did not start: %s %w", command.Path, line, command.Wait())
		}
	}
}

// spent is the processor time of all threads so far.
func (r *reader) spent() (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", r.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // the thread ended
		}
		n, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading %s: %w", path, err)
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

// stop ends the reader and returns its result.
func (r *reader) stop() (a result, err error) {
	r.input.Close()
	if r.interrupted {
		_ = r.command.Process.Signal(syscall.SIGINT)
	}
	said := false
	for err == nil {
		var line string
		if line, err = r.output.ReadString('\n'); !said && line != "" {
			a, said = r.parse(line)
		}
	}
	if err := r.command.Wait(); !said {
		return a, fmt.Errorf("%s gave no result: %w", r.command.Path, err)
	}
	return a, nil
}

// read is the other process. Its pods have IPv4 addresses, as in K3s unless it is
// configured otherwise.
func read(links []string) error {
	mark := [wire.MarkSize]byte([]byte("\x8e\x11\xc0\x5a\x77\x03\xfe\x92\x4d\x60\xb1\x2f\x99\xe8\x13\x7a"))
	config := capture.Config{
		Devices: []evidence.Device{{Name: "wg0", Port: wgPort}},
		Run:     wire.Run{Mark: mark, Key: mark[:]},
		Request: evidence.CaptureRequest{Pods: []evidence.PodAddress{
			{Index: 0, IPs: []netip.Addr{netip.MustParseAddr("10.42.0.7")}},
			{Index: 1, IPs: []netip.Addr{netip.MustParseAddr("10.42.1.9")}},
		}},
	}
	for _, link := range links {
		name, number, _ := strings.Cut(link, "=")
		index, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("%q is not a link: %w", link, err)
		}
		role := evidence.RoleOutside
		if strings.HasPrefix(name, "wg") {
			role = evidence.RoleWireGuard
		}
		config.Links = append(config.Links, evidence.Link{Name: name, Index: index, Up: true, Role: role})
	}
	ctx := context.Background()
	session, err := capture.Start(ctx, config)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	var a result
	for _, m := range session.Stop(ctx) {
		if m.Capture != nil {
			a.Read, a.Lost = a.Read+m.Capture.Frames, a.Lost+m.Capture.Drops
		}
	}
	a.Memory = peak()
	return json.NewEncoder(os.Stdout).Encode(a)
}

// peak is the most memory that this process ever had, in bytes. The pages of a
// mapped ring are part of it.
func peak() uint64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	var kib uint64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0
	}
	return kib << 10
}
