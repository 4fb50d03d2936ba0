package topology

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// KernelWireGuard reports whether the running kernel makes WireGuard devices, by making one in a namespace that goes at
// once. Kernel versions and module lists only guess.
func KernelWireGuard() (bool, error) {
	var made error
	err := onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unsharing a network namespace: %w", err)
		}
		made = netlink.LinkAdd(&netlink.GenericLink{
			LinkAttrs: netlink.LinkAttrs{Name: fmt.Sprintf("wgtest%d", os.Getpid()%10000)},
			LinkType:  "wireguard",
		})
		return nil
	})
	switch {
	case err != nil:
		return false, err
	case made == nil:
		return true, nil
	case errors.Is(made, unix.EOPNOTSUPP):
		return false, nil
	}
	return false, fmt.Errorf("creating a WireGuard device: %w", made)
}
