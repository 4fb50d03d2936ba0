package supervisor

import (
	"context"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// forward carries the listener's connections to an address inside a network namespace until the listener is closed.
func forward(ctx context.Context, listener net.Listener, netns, address string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			server, err := topology.Dial(ctx, netns, "tcp", address)
			if err != nil {
				slog.Debug("forwarding", "error", err)
				return
			}
			defer server.Close()
			pump(client.(*net.TCPConn), server.(*net.TCPConn))
		}()
	}
}

// pump copies both ways and passes the end of each direction on, so that half-closed streams of exec stay whole.
func pump(a, b *net.TCPConn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(a, b) // either side may reset the connection; the other is closed then
		_ = a.CloseWrite()
	}()
	_, _ = io.Copy(b, a)
	_ = b.CloseWrite()
	<-done
}
