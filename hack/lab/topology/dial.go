package topology

import (
	"context"
	"fmt"
	"net"
)

// Dial connects to an address, which must be a literal one, from inside the named network namespace.
func Dial(ctx context.Context, netns, network, address string) (conn net.Conn, err error) {
	err = In(netns, func() error {
		var dialer net.Dialer
		conn, err = dialer.DialContext(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dialling %s in %s: %w", address, netns, err)
	}
	return conn, nil
}

// Listen opens a listener inside the named network namespace.
func Listen(netns, network, address string) (listener net.Listener, err error) {
	err = In(netns, func() error {
		listener, err = net.Listen(network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listening on %s in %s: %w", address, netns, err)
	}
	return listener, nil
}
