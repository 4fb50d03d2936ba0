//go:build linux

// Package trial finds out whether the kernel makes WireGuard links, by making one
// and removing it at once, and reads what bears on that. It is the one package of
// the probe that configures anything, and only in the network namespace of the
// run's own pod: it must not do so in that of the host, which it is given, and must
// not set the link up, give it a key or an address, or touch any other link.
package trial

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Link is the name of the link that is made.
const Link = "wg-trial"

// kind is that of a WireGuard link in rtnetlink's messages.
const kind = "wireguard"

// Reader tries it on this machine. Its zero value is the real one.
type Reader struct{ Root kernel.Root }

// ErrHost is the error for a trial in the host's network namespace, or where it is
// not known which one this is.
var ErrHost = errors.New("a trial is made in the network namespace of a pod, never in the host's")

// Run makes a link in the namespace own, which must be that of the caller, and
// removes it. host is the namespace of the node.
func (r Reader) Run(own, host uint64) (evidence.Trial, error) {
	if own == 0 || host == 0 || own == host {
		return evidence.Trial{}, ErrHost
	}
	trial := r.read()
	link := &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: Link}, LinkType: kind}
	if err := netlink.LinkAdd(link); err != nil { //nolint:forbidigo // in a pod, see hack/architecture
		// The kernel answers so for a kind that no driver has, built in or loaded on
		// request (linux net/core/rtnetlink.c, rtnl_newlink).
		trial.Missing = errors.Is(err, syscall.EOPNOTSUPP)
		trial.Error = err.Error()
		return trial, nil
	}
	if err := netlink.LinkDel(link); err != nil { //nolint:forbidigo // what it made itself
		trial.Error = fmt.Sprintf("removing %s, which goes with the pod: %v", Link, err)
	}
	trial.Made = true
	return trial, nil
}

// read reads what bears on it, before the trial.
func (r Reader) read() evidence.Trial {
	return evidence.Trial{
		Loaded:     r.exists("sys/module/wireguard"),
		TUN:        r.exists("sys/class/misc/tun"),
		Lockdown:   lockdown(r.text("sys/kernel/security/lockdown")),
		SecureBoot: r.secureBoot(),
		NoModules:  flag(r.text("proc/sys/kernel/modules_disabled")),
	}
}

func (r Reader) exists(path string) bool {
	_, err := os.Stat(r.Root.Path(path))
	return err == nil
}

// text is that of a file, empty if it cannot be read.
func (r Reader) text(path string) string {
	text, err := os.ReadFile(r.Root.Path(path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// lockdown is the mode in brackets: "none [integrity] confidentiality".
func lockdown(text string) string {
	_, after, _ := strings.Cut(text, "[")
	mode, _, found := strings.Cut(after, "]")
	if !found {
		return ""
	}
	return mode
}

// flag is a setting of the kernel that is 0 or 1, nil for anything else.
func flag(text string) *bool {
	if text != "0" && text != "1" {
		return nil
	}
	set := text == "1"
	return &set
}

// secureBoot reads the firmware's variable: four bytes of attributes and one of the
// value (linux Documentation/filesystems/efivarfs.rst). Container runtimes hide
// /sys/firmware by default.
func (r Reader) secureBoot() *bool {
	const variable = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	value, err := os.ReadFile(r.Root.Path(variable))
	if err != nil || len(value) != 5 {
		return nil
	}
	on := value[4] == 1
	return &on
}
