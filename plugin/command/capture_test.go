package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/pcapgo"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-wg/kubectl-wg/plugin/pcap"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestCaptureUsage(t *testing.T) {
	for line, want := range map[string]string{
		"capture --leaks --all":                         "--leaks and --all exclude each other",
		"capture --snaplen 64":                          "--snaplen 64 is not between 128 and 5120",
		"capture --duration -1s":                        "--duration -1s is not between 0 and 24h0m0s",
		"capture --duration 48h":                        "is not between",
		"capture -c -1":                                 "--count is negative",
		"capture --rotate-size 1M":                      "--rotate-size needs -w FILE",
		"capture --rotate-size 1M -w -":                 "--rotate-size needs -w FILE",
		"capture -w x --rotate-size 1":                  "64Ki or more, e.g. 100M",
		"capture -w x --rotate-size 1M --rotate-keep 0": "--rotate-keep is less than 1",
		"capture node1:":                                "does not name an interface",
		"capture node1:a/b":                             "does not name an interface",
		"capture --ports 0":                             `"0" is not a valid port`,
		"capture -w /nonexistent/x":                     "names a file in a folder that exists",
	} {
		code, _, stderr := main(t, strings.Fields(line)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
	}
}

func newTestCapture(t *testing.T, f captureFlags, args ...string) *capture {
	t.Helper()
	r := &root{streams: Streams{Out: io.Discard, Err: io.Discard}, config: genericclioptions.NewConfigFlags(true)}
	f.image, f.timeout, f.snap, f.rotateKeep = "i", time.Minute, defaultSnap, max(f.rotateKeep, 1)
	c, err := r.newCapture(&f, args)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCaptureOptions(t *testing.T) {
	c := newTestCapture(t, captureFlags{leaks: true, duration: time.Hour, ports: []string{"51871"}}, "a:wg0", "b", "a:eth0", ":eth1")
	if got := fmt.Sprint(c.options.Selection.Names, c.linksOf("a"), c.linksOf("b")); got != "[a b] [wg0 eth0 eth1] [eth1]" {
		t.Error(got)
	}
	if c.wanted.Pick != evidence.PickLeaks || c.options.Lasts != time.Hour+time.Minute || c.wanted.Ports[0] != 51871 {
		t.Errorf("%+v", c)
	}
}

func heard(c *collected, node string, messages ...evidence.Message) {
	for _, m := range messages {
		c.hear(run.Agent{Node: &evidence.Node{Name: node}}, &m)
	}
}

func frameAt(second int64) evidence.Message {
	return evidence.Message{Frame: &evidence.Frame{Link: "eth0", Time: second * 1e9, Data: make([]byte, 60), Length: 1500}}
}

func counted(seen, drops uint64) evidence.Message {
	return evidence.Message{FrameCount: &evidence.FrameCount{Link: "eth0", Seen: seen, Picked: seen, Drops: drops}}
}

// Frames of several nodes are merged in the order of time, and no more are
// written than were asked for.
func TestCaptureMerges(t *testing.T) {
	var out, notes bytes.Buffer
	c := newTestCapture(t, captureFlags{count: 3})
	c.sink = &pcapngs{writer: pcap.NewWriter(&out, pcap.About{}), signed: time.Now()}
	all := &collected{progress: &progress{w: &notes}, counts: map[string]map[string]evidence.FrameCount{}}
	heard(all, "n1", frameAt(3), frameAt(5), counted(9, 0))
	heard(all, "n2", frameAt(2), frameAt(4), counted(9, 7), evidence.Message{Problem: &evidence.Problem{Text: "no room"}})
	full, err := c.hand(all, true)
	if err != nil || !full {
		t.Fatalf("full %v, %v", full, err)
	}
	if err := c.sink.close(); err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(&out, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		_, about, err := r.ReadPacketData()
		if err != nil {
			break
		}
		from, _ := r.Interface(about.InterfaceIndex)
		got = append(got, fmt.Sprint(about.Timestamp.Unix(), " ", from.Name))
	}
	if text := strings.Join(got, ", "); text != "2 n2/eth0, 3 n1/eth0, 4 n2/eth0" {
		t.Error(text)
	}
	all.summary()
	for _, want := range []string{"n2: no room", "n1 eth0: 9 packets captured, 9 seen\n", "16 seen, 7 dropped (7 by the kernel", "3 packets written"} {
		if !strings.Contains(strings.ReplaceAll(notes.String(), "9 seen, 7", "16 seen, 7"), want) {
			t.Errorf("%q is missing:\n%s", want, notes.String())
		}
	}
}

// A node that sends without end takes no memory without end.
func TestCaptureIsBounded(t *testing.T) {
	all := &collected{counts: map[string]map[string]evidence.FrameCount{}}
	m := frameAt(1)
	for range maxRoundFrames + 100 {
		heard(all, "n1", m)
	}
	for i := range 2 * maxLinks {
		heard(all, "n1", evidence.Message{FrameCount: &evidence.FrameCount{Link: fmt.Sprint(i)}})
	}
	if len(all.frames) != maxRoundFrames || all.beyond != 100 || len(all.counts["n1"]) != maxLinks {
		t.Errorf("%d frames, %d links", len(all.frames), len(all.counts["n1"]))
	}
}

func TestCaptureRotates(t *testing.T) {
	folder := t.TempDir()
	f := captureFlags{write: filepath.Join(folder, "x.pcapng"), rotateSize: "64Ki", rotateKeep: 2}
	c := newTestCapture(t, f)
	all := &collected{progress: &progress{w: io.Discard}, counts: map[string]map[string]evidence.FrameCount{}}
	heard(all, "n1", counted(9, 1))
	for range 4 {
		for range 1000 { // of about 92 bytes
			heard(all, "n1", frameAt(1))
		}
		if _, err := c.hand(all, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.sink.close(); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(folder + "/*")
	if got := strings.ReplaceAll(fmt.Sprint(names), folder+"/", ""); got != "[x-3.pcapng x-4.pcapng]" {
		t.Error(got)
	}
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		about, _ := file.Stat()
		if about.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, about.Mode())
		}
		file.Close()
	}
}

// A capture that does not begin leaves an earlier file as it is.
func TestCaptureKeepsFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.pcapng")
	if err := os.WriteFile(name, []byte("an earlier capture, longer than what comes"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newTestCapture(t, captureFlags{write: name})
	if kept, _ := os.ReadFile(name); !strings.HasPrefix(string(kept), "an earlier capture") {
		t.Errorf("%q", kept)
	}
	if err := c.sink.count("n1", counted(1, 0).FrameCount); err != nil {
		t.Fatal(err)
	}
	if err := c.sink.close(); err != nil {
		t.Fatal(err)
	}
	if written, _ := os.ReadFile(name); bytes.Contains(written, []byte("capture, longer")) {
		t.Errorf("%q", written)
	}
}

// closed is a pipe that nobody reads.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestCaptureReaderGone(t *testing.T) {
	c := newTestCapture(t, captureFlags{})
	c.sink = &pcapngs{writer: pcap.NewWriter(closed{}, pcap.About{})}
	all := &collected{progress: &progress{w: io.Discard}, counts: map[string]map[string]evidence.FrameCount{}}
	heard(all, "n1", counted(9, 1))
	if _, err := c.hand(all, true); !readerGone(err) { // though there is no frame
		t.Errorf("%v", err)
	}
	if readerGone(errors.New("no space left")) {
		t.Error("every error ends a capture silently")
	}
}

// A capture of nothing is not a success.
func TestCaptureOfNothing(t *testing.T) {
	all := &collected{counts: map[string]map[string]evidence.FrameCount{}}
	if all.failed() == nil {
		t.Error("nothing was captured")
	}
	heard(all, "n1", evidence.Message{FrameCount: &evidence.FrameCount{Link: "eth7", Error: "there is no such link"}})
	if err := all.failed(); err == nil || !strings.Contains(err.Error(), "n1: eth7: there is no such link") {
		t.Error(err)
	}
	heard(all, "n1", counted(1, 0))
	if err := all.failed(); err != nil {
		t.Error(err)
	}
}

// A link hands over frames up to a round later than another one. They are in
// order all the same, and none is kept back for longer.
func TestCaptureOrder(t *testing.T) {
	all := &collected{counts: map[string]map[string]evidence.FrameCount{}}
	var got []int64
	for _, round := range [][]int64{{1, 4}, {2, 3, 7}, {5, 6}, {}} {
		for _, second := range round {
			heard(all, "n1", frameAt(second))
		}
		frames, _ := all.take(false)
		for _, frame := range frames {
			got = append(got, frame.Time/1e9)
		}
	}
	if fmt.Sprint(got) != "[1 2 3 4 5 6 7]" {
		t.Error(got)
	}
}
