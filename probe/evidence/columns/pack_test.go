package columns

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// some are messages of single peers with all that a column must keep or refuse.
func some(random *rand.Rand, nodes int) (state, counts []evidence.Message) {
	often := func(usual, rare uint64) uint64 {
		if random.IntN(10) == 0 {
			return rare
		}
		return usual
	}
	state = append(state, evidence.Message{Device: &evidence.Device{Name: "wg0", Index: 3}})
	for i := range nodes {
		endpoint := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), 51820)
		allowed := []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)}
		peer := &evidence.Peer{Device: "wg0", PublicKey: fmt.Sprintf("%043d=", i), Endpoint: endpoint,
			AllowedIPs: allowed, Keepalive: int(often(25, 0)), TX: random.Uint64N(1e9), RX: random.Uint64N(1e9)}
		if often(1, 0) > 0 {
			peer.Age = int64(random.IntN(100000)) * millisecond
			peer.Handshake = 1795313066480*millisecond - peer.Age
		}
		state = append(state, evidence.Message{Peer: peer},
			evidence.Message{
				Route: &evidence.Route{For: allowed[0].Addr().Next(),
					Link: "wg0", Type: "unicast", Table: int(often(254, 52))},
			})
		count := &evidence.Count{Device: "wg0", Index: 3, PublicKey: peer.PublicKey, Endpoint: endpoint,
			Readings: int(often(4, 3)), Handshake: peer.Handshake, Age: peer.Age}
		count.TX[0], count.RX[0] = peer.TX, peer.RX
		for r := 1; r < evidence.Readings; r++ {
			count.TX[r], count.RX[r] = count.TX[r-1]+random.Uint64N(9000),
				count.RX[r-1]+often(random.Uint64N(9000), 1<<40)
		}
		if often(0, 1) > 0 {
			count.TX[2] = 0
			count.Endpoint = netip.AddrPort{}
		}
		flow := func() evidence.Flow {
			f := evidence.Flow{Data: often(20, 21), Bytes: often(4000, 4096),
				Sizes: []evidence.SizeCount{{Size: 128, Count: 3}, {Size: 400, Count: often(2, 4)}}}
			for range often(1, random.Uint64N(3)) {
				f.Indices = append(f.Indices,
					evidence.IndexRange{Index: random.Uint32(), Min: 4, Max: random.Uint64N(1000), Messages: 20,
						Repeats: often(0, 1)})
			}
			if often(0, 1) > 0 {
				f.Handshakes = []evidence.Handshake{{Type: 1, Sender: 9, For: peer.PublicKey}}
			}
			return f
		}
		rows := []evidence.CanaryRow{{Transport: "udp", Size: 64, Sent: 1, Answered: uint32(often(1, 0)), Received: 1},
			{Transport: "udp", Size: 1392, Sent: 1, Answered: 1, Received: 1}, {Transport: "tcp", Size: 333,
				Sent: 1, Answered: 1}}
		if rows[0].Answered > 0 {
			rows[0].RTT = 1 + random.Uint32N(5000)
		}
		control := &evidence.Control{Peer: i, Sent: 1}
		if often(0, 1) > 0 {
			control = &evidence.Control{Peer: i, Error: "refused"}
		}
		counts = append(counts, evidence.Message{Count: count},
			evidence.Message{
				Tunnel: &evidence.Tunnel{Local: netip.MustParseAddrPort("192.0.9.9:51820"), Remote: endpoint,
					Links: []string{"eth0"}, TX: flow(), RX: flow()},
			},
			evidence.Message{Canary: &evidence.Canary{Peer: i, Family: 4, Rows: rows}},
			evidence.Message{Control: control},
			evidence.Message{
				Witness: &evidence.Witness{Link: "wg0", Direction: "tx",
					Family: 4, Seen: []evidence.Seen{{Source: 7, Target: i, UDP: 6, TCP: uint32(often(3, 4))}}},
			},
			evidence.Message{
				Witness: &evidence.Witness{Link: "wg0", Direction: "rx",
					Family: 4, Seen: []evidence.Seen{{Source: i, Target: 7, UDP: 6, ICMP: 1}}},
			},
			evidence.Message{Capture: &evidence.Capture{Link: fmt.Sprintf("eth%d", i)}})
	}
	return state, counts
}

// facts are single messages as texts, sorted; what was seen in tunnels pair by pair.
func facts(t *testing.T, messages []evidence.Message) (all []string) {
	t.Helper()
	for _, m := range messages {
		m.Stream, m.Seq = "", 0
		if m.Witness != nil {
			for _, seen := range m.Witness.Seen {
				line, _ := json.Marshal(evidence.Witness{Link: m.Witness.Link, Direction: m.Witness.Direction,
					Family: m.Witness.Family, Seen: []evidence.Seen{seen}})
				all = append(all, string(line))
			}
			continue
		}
		if m.Control != nil {
			m.Control.Target = netip.AddrPort{}
		}
		line, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(line))
	}
	slices.Sort(all)
	return all
}

// What is packed, written, read and unpacked says the same as before.
func TestPackAndUnpack(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, nodes := range []int{0, 1, 2, 3, 64, 65, 700} {
		var p Packer
		var u Unpacker
		var got, want []evidence.Message
		state, counts := some(random, nodes)
		for _, batch := range [][]evidence.Message{state, counts} {
			want = append(want, batch...)
			for _, m := range p.Pack(batch) {
				line, err := evidence.Encode(&m)
				if err != nil {
					t.Fatal(err)
				}
				read, err := evidence.Decode(line)
				if err != nil {
					t.Fatal(err)
				}
				if err := u.Unpack(read, func(one *evidence.Message) { got = append(got, *one) }); err != nil {
					t.Fatal(err)
				}
			}
		}
		if left, right := facts(t, got), facts(t, want); !slices.Equal(left, right) {
			for i := range min(len(left), len(right)) {
				if left[i] != right[i] {
					t.Fatalf("%d nodes: got %s\nwant %s", nodes, left[i], right[i])
				}
			}
			t.Fatalf("%d nodes: %d facts, want %d", nodes, len(left), len(right))
		}
	}
}

// A column whose lists do not fit each other is refused, not half read.
func TestUnpackRefuses(t *testing.T) {
	for _, line := range []string{
		`{"peers":{"device":"wg0","first":0,"keys":["a","b"],"endpoints":["192.0.2.1:1"],"allowedIPs":[[],[]],"ages":[1,1],"tx":[1,1],"rx":[1,1]}}`,
		`{"peers":{"device":"wg0","first":5,"keys":[],"endpoints":[],"allowedIPs":[],"ages":[],"tx":[],"rx":[]}}`,
		`{"counts":{"device":"wg0","index":1,"first":0,"ages":[1],"tx":[1,1,1],"rx":[1,1,1]}}`,
		`{"counts":{"device":"wg0","index":1,"first":-9223372036854775808,"ages":[],"tx":[],"rx":[]}}`,
		`{"tunnels":{"local":"192.0.2.1:1","links":[],"tx":{"indices":[{}]},"rx":{},"remotes":["192.0.2.2:1"],"txSessions":[1]}}`,
		`{"tunnels":{"local":"192.0.2.1:1","links":[],"tx":{"indices":[{},{}]},"rx":{},"remotes":[]}}`,
		`{"canaries":{"peers":"0-3","family":4,"rows":[],"rtts":[1]}}`,
		`{"witness":{"link":"wg0","direction":"tx","family":4,"alike":[{"sources":"0-99","targets":"0-99"}]}}`,
	} {
		m, err := evidence.Decode([]byte(line))
		if err != nil {
			t.Fatal(line, err)
		}
		var u Unpacker
		if err := u.Unpack(m, func(*evidence.Message) { t.Errorf("%s is half read", line) }); err == nil {
			t.Errorf("%s is accepted", line)
		}
	}
}

// Whatever a line says, unpacking it ends and stays within bounds.
func FuzzUnpack(f *testing.F) {
	state, counts := some(rand.New(rand.NewPCG(7, 8)), 3)
	var p Packer
	for _, batch := range [][]evidence.Message{state, counts} {
		for _, m := range p.Pack(batch) {
			line, err := evidence.Encode(&m)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(line)
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := evidence.Decode(line)
		if err != nil {
			return
		}
		var u Unpacker
		rows := 0
		_ = u.Unpack(m, func(*evidence.Message) { rows++ })
		if rows > evidence.MaxNumbers {
			t.Errorf("%d messages of one", rows)
		}
	})
}
