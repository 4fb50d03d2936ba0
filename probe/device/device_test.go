package device

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestProblemsHaveTheirClass(t *testing.T) {
	double := wgtypes.Peer{PublicKey: wgtypes.Key{1}}
	reads := 0
	kernel := lister{
		"denied": func() (*wgtypes.Device, error) { return nil, os.NewSyscallError("netlink", os.ErrPermission) },
		"gone":   func() (*wgtypes.Device, error) { return nil, os.ErrNotExist },
		"moving": func() (*wgtypes.Device, error) {
			return &wgtypes.Device{Peers: []wgtypes.Peer{double, double}}, nil
		},
		"settles": func() (*wgtypes.Device, error) {
			if reads++; reads == 1 {
				return &wgtypes.Device{Peers: []wgtypes.Peer{double, double}}, nil
			}
			return &wgtypes.Device{Peers: []wgtypes.Peer{double}}, nil
		},
	}
	folder := t.TempDir()
	serve(t, filepath.Join(folder, "mad.sock"), func(c net.Conn) {
		c.Read(make([]byte, 64))
		fmt.Fprint(c,
			"private_key=zz\n\n")
		c.Close()
	})
	serve(t, filepath.Join(folder, "cut.sock"), func(c net.Conn) {
		c.Read(make([]byte, 64))
		fmt.Fprint(c,
			"listen_port=1\n")
		c.Close()
	})
	serve(t, filepath.Join(folder, "dead.sock"), func(c net.Conn) { time.Sleep(2 * socketTimeout); c.Close() })
	reader := Reader{Open: func() (Lister, error) { return kernel, nil }, Folders: []string{folder}}
	for _, test := range []struct {
		target Target
		class  evidence.ProblemClass
	}{
		{Target{Name: "denied"}, evidence.ProblemPermission},
		{Target{Name: "gone"}, evidence.ProblemMissing},
		{Target{Name: "moving"}, evidence.ProblemDamaged},
		{Target{Name: "settles"}, ""},
		{Target{Name: "hidden", Socket: "/nowhere/hidden.sock"}, evidence.ProblemMissing},
		{Target{Name: "mad", Socket: "/nowhere/mad.sock"}, evidence.ProblemDamaged},
		{Target{Name: "cut", Socket: "/nowhere/cut.sock"}, evidence.ProblemDamaged},
		{Target{Name: "dead", Socket: "/nowhere/dead.sock"}, evidence.ProblemTimeout},
	} {
		snapshot, problems := reader.Read([]Target{test.target})
		switch {
		case test.class == "" && (len(problems) != 0 || len(snapshot.Devices) != 1):
			t.Errorf("%s: %+v", test.target.Name, problems)
		case test.class != "" && (len(problems) != 1 || problems[0].Class != test.class || len(snapshot.Devices) != 0):
			t.Errorf("%s: got %+v, want class %s", test.target.Name, problems, test.class)
		}
	}
}

// The kernel is not asked for WireGuard, which can load the module, unless one
// of its links is a WireGuard device.
func TestKernelIsLeftAlone(t *testing.T) {
	reader := Reader{Open: func() (Lister, error) { t.Error("the kernel was asked"); return nil, os.ErrNotExist }}
	reader.Read(nil)
	reader.Read([]Target{{Name: "wg0", Socket: "/nowhere/wg0.sock"}})
}

func TestCountsHoldAllReadings(t *testing.T) {
	snapshot := func(tx uint64, index int) Snapshot {
		return Snapshot{
			Devices: []evidence.Device{{Name: "wg0", Index: index}},
			Peers:   []evidence.Peer{{Device: "wg0", PublicKey: "a", TX: tx, RX: tx + 1}},
		}
	}
	var counters Counters
	for reading := range evidence.Readings {
		counters.Take(reading, snapshot(uint64(100*reading), 3+reading/3))
	}
	counters.Take(evidence.ReadingAfter, snapshot(300, 4))
	counters.Take(9, snapshot(300, 4))
	messages := counters.Messages()
	if len(messages) != 1 {
		t.Fatal(messages)
	}
	got := *messages[0].Count
	want := evidence.Count{Device: "wg0", Index: 4, PublicKey: "a", Readings: 4,
		TX: [4]uint64{0, 100, 200, 300}, RX: [4]uint64{1, 101, 201, 301}}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The last reading is taken when the counters hold what was captured, of each
// direction, over all of the device's own addresses.
func TestBehind(t *testing.T) {
	remote := netip.MustParseAddrPort("192.0.2.2:51820")
	snapshot := func(tx, rx uint64) Snapshot {
		return Snapshot{
			Devices: []evidence.Device{{Name: "wg0", Index: 3, Port: 51820}},
			Peers:   []evidence.Peer{{Device: "wg0", PublicKey: "a", Endpoint: remote, TX: tx, RX: rx}},
		}
	}
	tunnel := func(local string, tx, rx uint64) evidence.Tunnel {
		return evidence.Tunnel{Local: netip.MustParseAddrPort(local), Remote: remote, TX: evidence.Flow{Bytes: tx},
			RX: evidence.Flow{Bytes: rx}}
	}
	captured := []evidence.Tunnel{tunnel("192.0.2.1:51820", 30, 40), tunnel("198.51.100.1:51820", 2, 0),
		tunnel("192.0.2.1:7777", 900, 900)}
	var counters Counters
	if counters.Behind(snapshot(0, 0), captured) {
		t.Error("behind without a first reading")
	}
	counters.Take(evidence.ReadingBefore, snapshot(1000, 2000))
	for now, want := range map[[2]uint64]bool{{1032, 2040}: false, {1031, 2040}: true, {1032, 2039}: true,
		{9999, 9999}: false} {
		if got := counters.Behind(snapshot(now[0], now[1]), captured); got != want {
			t.Errorf("at %v: %v", now, got)
		}
	}
	if counters.Behind(snapshot(1000, 2000), nil) {
		t.Error("behind nothing")
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("private_key=" + strings.Repeat("ab", 32) + "\npublic_key=" + strings.Repeat("01",
		32) + "\nallowed_ip=10.0.0.0/8\nerrno=0\n\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, _, err := parseAnswer(bytes.Clone(answer), time.Unix(1, 0))
		if err != nil && !strings.HasPrefix(err.Error(), errProtocol.Error()) {
			t.Errorf("a foreign error came through: %v", err)
		}
	})
}
