package vm

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const tunDevice = "/dev/net/tun"

// inNetNS runs do in the network namespace at path and nowhere else: mounts, and with them /sys and the cgroups, stay
// the caller's. What do starts stays in that namespace. An empty path means the caller's own.
func inNetNS(path string, do func() error) error {
	if path == "" {
		return do()
	}
	result := make(chan error, 1)
	go func() {
		// Never unlocked: the runtime then ends the thread with the goroutine, and nobody inherits the namespace.
		runtime.LockOSThread()
		result <- func() error {
			namespace, err := os.Open(path)
			if err != nil {
				return fmt.Errorf("opening a network namespace: %w", err)
			}
			defer namespace.Close()
			if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("entering the network namespace %s: %w", path, err)
			}
			return do()
		}()
	}()
	return <-result
}

// openTap makes a tap device in the current namespace as a port of its bridge, and returns the file that QEMU inherits.
// The tap lives as long as that file is open: with QEMU it goes, however QEMU ends.
func openTap(name, bridge string) (*os.File, error) {
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", tunDevice, err)
	}
	file := os.NewFile(uintptr(fd), name)
	err = func() error {
		request, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		// The header carries checksum and segmentation offload over to the machine, as on a veth pair.
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			return err
		}
		tap, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		master, err := netlink.LinkByName(bridge)
		if err != nil {
			return fmt.Errorf("finding the bridge %s: %w", bridge, err)
		}
		if err := netlink.LinkSetMaster(tap, master); err != nil {
			return err
		}
		return netlink.LinkSetUp(tap)
	}()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making the tap %s: %w", name, err), file.Close())
	}
	return file, nil
}
