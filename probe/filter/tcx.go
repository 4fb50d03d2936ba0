//go:build linux

package filter

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// attachment is where a program is attached without a queueing discipline, since
// Linux 6.6: tcx on any link, netkit on its own kind.
type attachment struct {
	kind   uint32 // enum bpf_attach_type
	hook   string
	netkit bool
}

var attachments = []attachment{
	{46, "ingress", false}, {47, "egress", false}, {54, "egress", true}, {55, "ingress", true},
}

// hasTCX reports whether a kernel of that release can have such programs, so
// that an older one is not reported to hide them.
func hasTCX(release string) bool {
	var major, minor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 {
		return true
	}
	return major > 6 || major == 6 && minor >= 6
}

// attachedPrograms asks for the programs of each link. Their names need more
// privileges than a probe has.
func attachedPrograms(links []evidence.Link) (found []evidence.Diversion, err error) {
	for _, link := range links {
		for _, place := range attachments {
			if place.netkit && link.Kind != "netkit" {
				continue
			}
			ids, err := queryPrograms(link.Index, place.kind)
			switch {
			case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENOENT):
				continue // an older kernel, or a link that is gone
			case err != nil:
				return found, err
			}
			for _, id := range ids {
				d := attached(link.Name, place.hook, "bpf")
				d.Effect = evidence.EffectBPF
				d.ID = id
				d.Rule = fmt.Sprintf("tcx or netkit program %d", id)
				found = append(found, d)
			}
		}
	}
	return found, nil
}

// queryPrograms is BPF_PROG_QUERY.
func queryPrograms(link int, kind uint32) ([]uint32, error) {
	const query, room = 16, 64
	ids := make([]uint32, room)
	var pinned runtime.Pinner // the request holds its address as a number
	pinned.Pin(&ids[0])
	defer pinned.Unpin()
	request := struct {
		target, kind, query, attached uint32
		ids                           uint64
		count, padding                uint32
		rest                          [4]uint64
	}{target: uint32(link), kind: kind, ids: uint64(uintptr(unsafe.Pointer(&ids[0]))), count: room}
	_, _, number := unix.Syscall(unix.SYS_BPF, query, uintptr(unsafe.Pointer(&request)), unsafe.Sizeof(request))
	if number != 0 {
		return nil, number
	}
	return ids[:min(request.count, room)], nil
}
