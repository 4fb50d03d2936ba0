//go:build linux

package canary

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// narrow passes datagrams on to a listener, and its answers back, but none of
// more than most bytes. Its sockets are made here, in the namespace of the test.
func narrow(t *testing.T, to uint16, most int) uint16 {
	t.Helper()
	in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	out, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(to)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); out.Close() })
	sender := make(chan netip.AddrPort, 1)
	go func() {
		buffer := make([]byte, 1<<16)
		for {
			n, from, err := in.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			select {
			case <-sender:
			default:
			}
			if sender <- from; n <= most {
				_, _ = out.Write(buffer[:n])
			}
		}
	}()
	go func() {
		buffer := make([]byte, 1<<16)
		for {
			n, err := out.Read(buffer)
			if err != nil {
				return
			}
			to := <-sender
			sender <- to
			_, _ = in.WriteToUDPAddrPort(buffer[:n], to)
		}
	}()
	return in.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

func TestSearchFindsTheSizeThatPasses(t *testing.T) {
	loopback(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	a, b := NewPod(identity(0)), NewPod(identity(1))
	ports, problems := b.Listen(ctx, evidence.ListenRequest{Families: []int{4}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	addr := netip.MustParseAddr("127.0.0.1")
	sizes := []uint16{64, 501, 1392}
	between := []int{64, 1000, 1252, 1312, 1352, 1392, 1472}
	targets := []evidence.Target{
		{Index: 1, Addr: addr, UDP: narrow(t, ports["udp4"], 1312)},
		{Index: 2, Addr: addr, UDP: 9}, // answers nothing, so its size is not the question
	}
	v := &batch{id: a.id, counters: &a.counters, attempts: 1, pause: 300 * time.Millisecond}
	v.sendDatagrams(ctx, targets, sizes, 4, wire.TransportUDP)
	v.searchMTU(ctx, targets, sizes, between, 4)

	want := map[int]bool{64: true, 501: true, 1000: true, 1252: true, 1312: true, 1352: false, 1392: false}
	for _, m := range a.Stop() {
		if m.Canary.Peer == 2 {
			if len(m.Canary.Rows) != len(sizes) {
				t.Errorf("more sizes were sent to a silent pod: %+v", m.Canary.Rows)
			}
			continue
		}
		if len(m.Canary.Rows) != len(want) {
			t.Errorf("%d sizes, want %d: %+v", len(m.Canary.Rows), len(want), m.Canary.Rows)
		}
		for _, row := range m.Canary.Rows {
			if passes, asked := want[row.Size]; !asked || (row.Answered > 0) != passes || row.Sent == 0 {
				t.Errorf("%+v, should pass: %v", row, passes)
			}
		}
	}

	// Nothing is to be found where a full canary was answered.
	c := NewPod(identity(0))
	open := []evidence.Target{{Index: 1, Addr: addr, UDP: ports["udp4"]}}
	v = &batch{id: c.id, counters: &c.counters, attempts: 1, pause: time.Second}
	v.sendDatagrams(ctx, open, sizes, 4, wire.TransportUDP)
	v.searchMTU(ctx, open, sizes, between, 4)
	if messages := c.Stop(); len(messages) != 1 || len(messages[0].Canary.Rows) != len(sizes) {
		t.Errorf("searched without need: %+v", messages)
	}
}

// A node says how large a packet may be, here by its route: that size is sent, and nothing else
// is where it arrives.
func TestSizeThatTheKernelWasTold(t *testing.T) {
	loopback(t)
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	sizes := []uint16{64, 501, 1422}
	for _, test := range []struct {
		told, passes int // MTU of the route, and the largest payload that is passed on
		sent         []int
	}{
		{1420, 1392, []int{64, 501, 1392, 1422}},
		{1420, 1312, []int{64, 501, 1000, 1312, 1352, 1392, 1422}},
		{500, 1312, []int{64, 501, 1000, 1312, 1352, 1422}}, // less than what arrived: it says nothing
	} {
		a, b := NewPod(identity(0)), NewPod(identity(1))
		ports, problems := b.Listen(ctx, evidence.ListenRequest{Families: []int{4}})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		addr := netip.MustParseAddr("127.0.0.1")
		targets := []evidence.Target{{Index: 1, Addr: addr, UDP: narrow(t, ports["udp4"], test.passes)}}
		v := &batch{id: a.id, counters: &a.counters, attempts: 1, pause: 300 * time.Millisecond}
		v.sendDatagrams(ctx, targets, sizes, 4, wire.TransportUDP)
		to := &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(32, 32)}
		route := &netlink.Route{LinkIndex: lo.Attrs().Index, Dst: to,
			MTU: test.told, Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Scope: netlink.SCOPE_HOST}
		if err := netlink.RouteReplace(route); err != nil {
			t.Fatal(err)
		}
		v.searchMTU(ctx, targets, sizes, []int{1000, 1312, 1352}, 4)
		var sent []int
		for _, row := range a.Stop()[0].Canary.Rows {
			sent = append(sent, row.Size)
			want := 0
			if row.Size == 1422 && test.told > 529 {
				want = test.told
			}
			if row.PathMTU != want || (row.Answered > 0) != (row.Size <= test.passes) {
				t.Errorf("told %d: %+v", test.told, row)
			}
		}
		if !slices.Equal(sent, test.sent) {
			t.Errorf("told %d: sent %v, want %v", test.told, sent, test.sent)
		}
	}
}
