package supervisor

import (
	"fmt"
	"io"
	"net"
	"testing"
)

// Streams of exec end one direction first: the answer must still come through.
//
//	client ---- 127.0.0.1 listener | forward | ---- 127.0.0.1 server
func TestForwardPassesTheEndOfEachDirection(t *testing.T) {
	listen := func() *net.TCPListener {
		listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		return listener
	}
	server, door := listen(), listen()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		data, _ := io.ReadAll(conn) // returns only at the end of the client's direction
		fmt.Fprintf(conn, "read %d bytes", len(data))
	}()
	go forward(t.Context(), door, "", server.Addr().String())
	conn, err := net.DialTCP("tcp", nil, door.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if want := fmt.Sprintf("read %d bytes", 1<<20); string(answer) != want {
		t.Errorf("got %q (%v), want %q", answer, err, want)
	}
}
