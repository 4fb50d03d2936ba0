//go:build linux

package udp

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// An answer comes from the address that was asked, not from that of the link by which it leaves.
func TestAnswersFromTheAddressAsked(t *testing.T) {
	for family, addr := range map[int]string{4: "127.0.0.2", 6: "::1"} {
		server, err := Listen(family, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		server.SetDeadline(time.Now().Add(5 * time.Second))
		asked := netip.MustParseAddr(addr)
		client, err := net.ListenUDP("udp", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		client.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := client.WriteToUDPAddrPort([]byte("question"), netip.AddrPortFrom(asked, server.Port())); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 64)
		n, from, to, err := server.Read(buffer)
		if err != nil || string(buffer[:n]) != "question" || to != asked {
			t.Fatalf("%q for %s, want %s: %v", buffer[:n], to, asked, err)
		}
		if err := server.Answer([]byte("answer"), from, to); err != nil {
			t.Fatal(err)
		}
		n, source, err := client.ReadFromUDPAddrPort(buffer)
		if err != nil || string(buffer[:n]) != "answer" || source.Addr().Unmap() != asked {
			t.Errorf("%q from %s, want %s: %v", buffer[:n], source, asked, err)
		}
		if err := server.Answer([]byte("answer"), from, netip.Addr{}); err != nil {
			t.Error(err)
		}
	}
}

// What is no control message of this kind names no address.
func TestNoControlMessage(t *testing.T) {
	for _, family := range []int{4, 6} {
		for _, control := range [][]byte{nil, make([]byte, 3), make([]byte, 64)} {
			if got := target(control, family); got.IsValid() {
				t.Errorf("IPv%d, %d bytes: %s", family, len(control), got)
			}
		}
	}
}
