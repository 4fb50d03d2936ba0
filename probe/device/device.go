// Package device reads WireGuard devices, from the kernel through wgctrl and
// from userspace implementations through their control sockets, and turns them
// into evidence. It is the only package that sees key material: private and
// preshared keys are dropped at the door, and nothing of them is in what it
// returns, in its errors or in its logs. It never configures a device.
package device

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Target is a link that is to be read as a WireGuard device.
type Target struct {
	Name  string
	Index int // link index
	// Socket is the path of a userspace implementation's control socket as the
	// network namespace lists it; empty for a kernel device.
	Socket string
}

// Snapshot is one reading of all devices, free of key material.
type Snapshot struct {
	Devices []evidence.Device
	Peers   []evidence.Peer // unsplit; see Messages
}

// Reader reads devices. Its zero value reads the real ones.
type Reader struct {
	// Open opens the kernel's devices; nil stands for wgctrl.
	Open func() (Lister, error)
	// Folders are where control sockets are looked for, by NAME.sock, before
	// the path of the Target itself; nil stands for wgctrl's own.
	Folders []string
	// Now is the clock that handshakes are compared with; nil stands for the real one.
	Now func() time.Time
}

// attempts bounds how often a device is read again after an interrupted dump.
const attempts = 3

// errInterrupted: the device changed while it was read.
var errInterrupted = errors.New("the device changed while it was read")

// Read reads every target by its own name, so that one that is gone or dead
// does not hide the others. The kernel is asked only if a target is a kernel
// device: asking for its WireGuard family by name can load the module.
func (r *Reader) Read(targets []Target) (Snapshot, []evidence.Problem) {
	var snapshot Snapshot
	var problems []evidence.Problem
	var kernel Lister
	defer func() {
		if kernel != nil {
			kernel.Close()
		}
	}()
	for _, target := range targets {
		if target.Socket == "" && kernel == nil {
			lister, err := r.open()
			if err != nil {
				return snapshot, append(problems, problem(target, err))
			}
			kernel = lister
		}
		device, peers, err := r.read(kernel, target)
		if err != nil {
			problems = append(problems, problem(target, err))
			continue
		}
		device.Name = target.Name
		device.Index = target.Index
		device.Peers = len(peers)
		for i := range peers {
			peers[i].Device = target.Name
		}
		snapshot.Devices = append(snapshot.Devices, device)
		snapshot.Peers = append(snapshot.Peers, peers...)
	}
	return snapshot, problems
}

// read reads one device, again if a change interrupts it.
func (r *Reader) read(kernel Lister, target Target) (device evidence.Device, peers []evidence.Peer, err error) {
	for range attempts {
		if target.Socket == "" {
			device, peers, err = readKernel(kernel, target.Name, r.now())
		} else {
			device, peers, err = r.readSocket(target)
		}
		if err == nil && repeated(peers) {
			err = errInterrupted
		}
		if !errors.Is(err, errInterrupted) {
			break
		}
	}
	return device, peers, err
}

// repeated reports whether a dump was interrupted by a change: the kernel then
// starts the next part at another peer, and one comes twice.
func repeated(peers []evidence.Peer) bool {
	seen := make(map[string]bool, len(peers))
	for _, peer := range peers {
		if seen[peer.PublicKey] {
			return true
		}
		seen[peer.PublicKey] = true
	}
	return false
}

func (r *Reader) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// problem describes an error by its class. The text is this package's own: what
// an error of a library quotes is not ours to trust.
func problem(target Target, err error) evidence.Problem {
	p := evidence.Problem{What: "device", On: target.Name}
	describe := func(class evidence.ProblemClass, text, hint string) {
		p.Class = class
		p.Text = text
		p.Hint = hint
	}
	var number syscall.Errno
	timeout, isTimeout := err.(interface{ Timeout() bool })
	switch {
	case errors.Is(err, fs.ErrPermission):
		describe(evidence.ProblemPermission, "the kernel does not let this process read WireGuard devices",
			"reading a device needs NET_ADMIN on the host's network namespace")
	case errors.Is(err, fs.ErrNotExist) && target.Socket != "":
		describe(evidence.ProblemMissing, "the control socket of this userspace device is not visible here",
			"share the folder of the socket with the probe, read-only")
	case errors.Is(err, fs.ErrNotExist):
		describe(evidence.ProblemMissing, "the device is gone, or is not a WireGuard device", "")
	case errors.Is(err, errInterrupted), errors.Is(err, syscall.EINTR):
		describe(evidence.ProblemDamaged, errInterrupted.Error(), "")
	case isTimeout && timeout.Timeout():
		describe(evidence.ProblemTimeout, "the device did not answer", "")
	case errors.Is(err, syscall.ECONNREFUSED):
		describe(evidence.ProblemMissing, "nobody listens on the control socket of this userspace device", "")
	case errors.Is(err, errProtocol):
		describe(evidence.ProblemDamaged, "the control socket gave an answer that makes no sense", "")
	case errors.As(err, &number):
		describe(evidence.ProblemInternal, "the device could not be read: "+number.Error(), "")
	default:
		describe(evidence.ProblemInternal, "the device could not be read", "")
	}
	return p
}

// Endpoints lists the underlay addresses of all peers, without repeats, each
// with the firewall mark of its device.
func (s Snapshot) Endpoints() []Endpoint {
	marks := make(map[string]uint32, len(s.Devices))
	for _, device := range s.Devices {
		marks[device.Name] = device.Mark
	}
	seen := make(map[Endpoint]bool, len(s.Peers))
	var endpoints []Endpoint
	for _, peer := range s.Peers {
		endpoint := Endpoint{Addr: peer.Endpoint, Mark: marks[peer.Device]}
		if !peer.Endpoint.IsValid() || seen[endpoint] {
			continue
		}
		seen[endpoint] = true
		endpoints = append(endpoints, endpoint)
	}
	return endpoints
}

// Endpoint is where a device sends its ciphertext to, and the firewall mark
// that this ciphertext carries; 0 = none.
type Endpoint struct {
	Addr netip.AddrPort
	Mark uint32
}

// Ports lists the UDP ports the devices listen on, sorted, without repeats.
func (s Snapshot) Ports() []uint16 {
	var ports []uint16
	for _, device := range s.Devices {
		if device.Port != 0 {
			ports = append(ports, device.Port)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}
