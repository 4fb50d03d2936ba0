package hostile

import (
	"context"
	"fmt"
	"io"
	"net"
)

// DNS answers every question that comes by UDP as a server that does not know the name: it repeats the question.
func DNS(ctx context.Context, out io.Writer, port int) error {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
	if err != nil {
		return fmt.Errorf("listening on UDP %d: %w", port, err)
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	fmt.Fprintln(out, "listening")
	const header, answers, noSuchName = 12, 0x80, 3
	buffer := make([]byte, 512)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return nil
		}
		if n < header {
			continue
		}
		buffer[2] |= answers
		buffer[3] |= noSuchName
		_, _ = conn.WriteToUDPAddrPort(buffer[:n], from) // as lossy as the network
	}
}
