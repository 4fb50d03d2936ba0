package topology

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func loopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("setting the loopback up: %w", err)
	}
	return nil
}

// EnsureBridge makes the switch in the current network namespace, or finds it, and gives it the address.
func EnsureBridge(address Address) error {
	link := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: Bridge}}
	if err := netlink.LinkAdd(link); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("creating bridge %s: %w", Bridge, err)
	}
	return configure(Bridge, address)
}

// Attach joins the namespace to the bridge of the current one by a veth pair: port here, eth0 with the address there.
func Attach(port, netns string, address Address) error {
	target, err := os.Open(NetnsPath(netns))
	if err != nil {
		return fmt.Errorf("attaching %s to the switch: %w", netns, err)
	}
	defer target.Close()
	veth := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: port},
		PeerName:      Uplink,
		PeerNamespace: netlink.NsFd(int(target.Fd())),
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("creating the veth pair of %s: %w", port, err)
	}
	if err := enslave(port); err != nil {
		return err
	}
	return In(netns, func() error {
		if err := configure(Uplink, address); err != nil {
			return err
		}
		if err := defaultRoutes(address); err != nil {
			return err
		}
		return awaitLocal(address.IPv6.Addr().AsSlice())
	})
}

// awaitLocal waits until an IPv6 address works. The kernel takes it into use when it has seen the link's carrier, which
// it looks for at most once a second; until then even its own node asks the network for it.
func awaitLocal(ip net.IP) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		routes, err := netlink.RouteGet(ip)
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) || len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL {
			return nil // there, or a kernel without IPv6
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("the address %s does not come into use: %v", ip, routes), err)
		}
	}
}

// AnswerFor makes the current network namespace take every address of the range for one of its own.
func AnswerFor(addresses netip.Prefix) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the loopback: %w", err)
	}
	route := &netlink.Route{
		LinkIndex: lo.Attrs().Index, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST,
		Dst: &net.IPNet{IP: addresses.Addr().AsSlice(), Mask: net.CIDRMask(addresses.Bits(), addresses.Addr().BitLen())},
	}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("answering for %s: %w", addresses, err)
	}
	return nil
}

// AttachHardware joins every network card of the current namespace to its bridge: inside a VM that is the cable to the
// machine's switch.
func AttachHardware() error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("listing links: %w", err)
	}
	for _, link := range links {
		name := link.Attrs().Name
		if _, err := os.Stat(filepath.Join("/sys/class/net", name, "device")); err != nil {
			continue
		}
		if err := enslave(name); err != nil {
			return err
		}
	}
	return nil
}

func enslave(port string) error {
	bridge, err := netlink.LinkByName(Bridge)
	if err != nil {
		return fmt.Errorf("finding bridge %s: %w", Bridge, err)
	}
	link, err := netlink.LinkByName(port)
	if err != nil {
		return fmt.Errorf("finding %s: %w", port, err)
	}
	if err := netlink.LinkSetMaster(link, bridge); err != nil {
		return fmt.Errorf("joining %s to %s: %w", port, Bridge, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting %s up: %w", port, err)
	}
	return nil
}

func configure(name string, address Address) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding %s: %w", name, err)
	}
	v4 := &netlink.Addr{IPNet: &net.IPNet{IP: address.IPv4.Addr().AsSlice(), Mask: net.CIDRMask(address.IPv4.Bits(), 32)}}
	if err := netlink.AddrReplace(link, v4); err != nil {
		return fmt.Errorf("adding %s to %s: %w", address.IPv4, name, err)
	}
	v6 := &netlink.Addr{
		IPNet: &net.IPNet{IP: address.IPv6.Addr().AsSlice(), Mask: net.CIDRMask(address.IPv6.Bits(), 128)},
		// The plan knows of no duplicates; waiting a second for their detection would only delay the start.
		Flags: unix.IFA_F_NODAD,
	}
	if err := netlink.AddrReplace(link, v6); err != nil && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EACCES) {
		return fmt.Errorf("adding %s to %s: %w", address.IPv6, name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting %s up: %w", name, err)
	}
	return nil
}

// defaultRoutes point at the control plane, which forwards nothing: flannel finds its interface by the default route,
// as on a real node, and yet no packet can leave the lab.
func defaultRoutes(address Address) error {
	gateway := Control()
	if address == gateway {
		return nil
	}
	link, err := netlink.LinkByName(Uplink)
	if err != nil {
		return fmt.Errorf("finding %s: %w", Uplink, err)
	}
	for _, via := range []net.IP{gateway.IPv4.Addr().AsSlice(), gateway.IPv6.Addr().AsSlice()} {
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: via}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("adding the default route via %s: %w", via, err)
		}
	}
	return nil
}
