package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// youth is how long what a pod sends is copied, from its first packet on.
const youth = 2 * time.Second

// Young sends a copy of every packet that a new pod sends out of a network card, in clear and to everyone, as long as the
// pod is young. A pod is a veth that appears while this runs; the first ones are spared. It ends with the context.
func Young(ctx context.Context, out io.Writer, to string, spared int) error {
	target, err := newOutlet(to)
	if err != nil {
		return err
	}
	// The kernel reports each link that changes, also of those that are there.
	old := map[int]bool{}
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("listing the links: %w", err)
	}
	for _, link := range links {
		old[link.Attrs().Index] = true
	}
	updates := make(chan netlink.LinkUpdate)
	if err := netlink.LinkSubscribe(updates, ctx.Done()); err != nil {
		return fmt.Errorf("watching the links: %w", err)
	}
	fmt.Fprintln(out, "waiting for pods")
	for {
		select {
		case <-ctx.Done():
			return nil
		case update, ok := <-updates:
			if !ok {
				return errors.New("watching the links: the kernel says no more")
			}
			index := update.Link.Attrs().Index
			if update.Link.Type() != "veth" || old[index] || update.Link.Attrs().Flags&net.FlagUp == 0 {
				continue
			}
			old[index] = true
			if spared--; spared >= 0 {
				continue
			}
			go copyYoung(ctx, index, target)
		}
	}
}

// copyYoung copies what comes out of a pod's link for a while. A link that goes away before ends it.
func copyYoung(ctx context.Context, index int, target *outlet) {
	source, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(source)
	timeout := unix.NsecToTimeval(int64(100 * time.Millisecond))
	// A bridge takes its ports' frames before sockets of one protocol see them.
	if unix.Bind(source, &unix.SockaddrLinklayer{Protocol: uint16(everything), Ifindex: index}) != nil ||
		unix.SetsockoptTimeval(source, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout) != nil {
		return
	}
	buffer := make([]byte, 1<<16)
	for begun := (time.Time{}); (begun.IsZero() || time.Since(begun) < youth) && ctx.Err() == nil; {
		n, about, err := unix.Recvfrom(source, buffer, 0)
		link, ok := about.(*unix.SockaddrLinklayer)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		case err != nil:
			return
		case ok && link.Pkttype != unix.PACKET_OUTGOING && n >= 20 && buffer[0]>>4 == 4:
			if begun.IsZero() {
				begun = time.Now()
			}
			target.write(buffer[:n])
		}
	}
}
