package hostile

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// What an obfuscator carries does not show what it was, and obscuring it again brings it back.
func TestObscured(t *testing.T) {
	once := Obscured([]byte(Marker))
	if string(once) == Marker || string(Obscured(once)) != Marker {
		t.Errorf("%q", once)
	}
}

func TestDatagram(t *testing.T) {
	packet := datagram(netip.MustParseAddrPort("10.42.0.250:9"), netip.MustParseAddrPort("10.42.1.250:5432"), []byte(Marker))
	if checksum(packet[:20]) != 0 {
		t.Error("the header's checksum is wrong")
	}
	if int(binary.BigEndian.Uint16(packet[2:])) != len(packet) || int(binary.BigEndian.Uint16(packet[24:])) != len(packet)-20 {
		t.Errorf("% x", packet)
	}
}

// Both protocols arrive, also when the receiver comes later than the sender.
func TestSendArrives(t *testing.T) {
	for _, protocol := range []string{"udp4", "tcp4"} {
		t.Run(protocol, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			free, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			at := free.Addr().(*net.TCPAddr)
			free.Close()
			go Send{Network: protocol, To: at.String(), Every: time.Millisecond}.Run(ctx, io.Discard)
			seen, said := io.Pipe()
			go Take(ctx, said, at.Port)
			text := make([]byte, 100)
			for _, want := range []string{"listening\n", "received"} {
				n, err := seen.Read(text)
				if err != nil || string(text[:min(n, len(want))]) != want {
					t.Errorf("%q, want %q: %v", text[:n], want, err)
				}
			}
		})
	}
}
