package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// file is a file with frames of two nodes and three links.
func file(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, About{Program: "kubectl wg v0", Comment: "a test", Filter: "wireguard", Snap: 96})
	message := underlay(t, 51820, append(unhex("04000000 78563412 0500000000000000"), make([]byte, 80)...))
	pod := build(t, ipv4("10.42.0.7", "10.42.1.9", layers.IPProtocolTCP), &layers.TCP{SrcPort: 40001, DstPort: 5432, DataOffset: 5, SYN: true})
	for _, step := range []error{
		w.Count("n1", &evidence.FrameCount{Link: "eth0", Role: evidence.RoleOutside}),
		w.Frame("n1", &evidence.Frame{Link: "eth0", Time: 5 * second, Data: message, Length: len(message), WireGuard: true}),
		w.Frame("n2", &evidence.Frame{Link: "eth0", Time: 6 * second, Data: message[:80], Length: len(message)}),
		w.Frame("n2", &evidence.Frame{Link: "wg0", Time: 7 * second, Data: pod, Length: 1, RawIP: true}),
		w.Count("n1", &evidence.FrameCount{Link: "eth0", Seen: 9, Picked: 3, Drops: 2, Full: 1}),
		w.Close(time.Unix(9, 0)),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if int(w.Size()) != out.Len() {
		t.Errorf("the size is %d, and %d were written", w.Size(), out.Len())
	}
	return out.Bytes()
}

func TestWriter(t *testing.T) {
	r, err := pcapgo.NewNgReader(bytes.NewReader(file(t)), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		data, about, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		from, err := r.Interface(about.InterfaceIndex)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(from.Name, " ", from.LinkType, " ", about.Timestamp.Unix(), " ", len(data), "/", about.Length))
	}
	if text := strings.Join(got, ", "); text != "n1/eth0 Ethernet 5 138/138, n2/eth0 Ethernet 6 80/138, n2/wg0 Raw 7 40/40" {
		t.Error(text)
	}
	first, err := r.Interface(0)
	if err != nil || first.Statistics.PacketsReceived != 11 || first.Statistics.PacketsDropped != 3 {
		t.Errorf("%+v, %v", first.Statistics, err)
	}
	if about := r.SectionInfo(); about.Application != "kubectl wg v0" || about.Comment != "a test" {
		t.Errorf("%+v", about)
	}
}

// A node cannot make a file grow by inventing links.
func TestWriterIsBounded(t *testing.T) {
	w := NewWriter(io.Discard, About{})
	var err error
	made := 0
	for ; err == nil && made < 1000; made++ {
		err = w.Frame("n1", &evidence.Frame{Link: fmt.Sprint("eth", made)})
	}
	if err == nil || made != maxInterfaces+1 {
		t.Errorf("%d interfaces, %v", made, err)
	}
	if err := w.Frame("n2", &evidence.Frame{Link: "\x1b[31meth0", Length: 1 << 40}); err != nil {
		t.Errorf("another node: %v", err)
	}
}

// Wireshark's own reader takes the file without a warning, names the interfaces
// and dissects WireGuard.
func TestWriterForWireshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("needs tshark")
	}
	path := filepath.Join(t.TempDir(), "capture.pcapng")
	if err := os.WriteFile(path, file(t), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(tshark, "-n", "-r", path, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.protocols", "-e", "_ws.expert.severity")
	var out, warnings bytes.Buffer
	command.Stdout, command.Stderr = &out, &warnings
	err = command.Run()
	want := "n1/eth0\teth:ethertype:ip:udp:wg\t\nn2/eth0\teth:ethertype:ip:udp:wg\t\nn2/wg0\traw:ip:tcp\t"
	said := strings.ReplaceAll(warnings.String(), "Running as user \"root\" and group \"root\". This could be dangerous.\n", "")
	if err != nil || !strings.HasPrefix(out.String(), want) || said != "" {
		t.Errorf("%v\n%s%s", err, out.String(), said)
	}
}
