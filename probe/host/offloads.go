//go:build linux

package host

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// bypassing are the features of a link by which frames can pass it without
// passing a packet socket.
var bypassing = []string{"hw-tc-offload", "esp-hw-offload"}

// Of linux/ethtool.h.
const (
	ethtoolGetStrings  = 0x1b
	ethtoolGetSetInfo  = 0x37
	ethtoolGetFeatures = 0x3a
	stringsOfFeatures  = 4
	sizeofEthtoolName  = 32
	maxFeatures        = 512
)

// offloads adds the bypassing features that are on to outside links. Asking
// for a link that is gone could load a module named after it, so only what was
// just listed is asked for.
func offloads(links []evidence.Link) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(socket)
	for i := range links {
		if links[i].Role == evidence.RoleOutside {
			links[i].Offloads = offloadsOf(socket, links[i].Name)
		}
	}
}

func offloadsOf(socket int, link string) (on []string) {
	info := make([]byte, 4+4+8+4)
	native.PutUint32(info, ethtoolGetSetInfo)
	native.PutUint64(info[8:], 1<<stringsOfFeatures)
	if !ethtool(socket, link, info) {
		return nil
	}
	count := int(min(native.Uint32(info[16:]), maxFeatures))
	names := make([]byte, 12+count*sizeofEthtoolName)
	native.PutUint32(names, ethtoolGetStrings)
	native.PutUint32(names[4:], stringsOfFeatures)
	native.PutUint32(names[8:], uint32(count))
	blocks := (count + 31) / 32
	features := make([]byte, 8+16*blocks)
	native.PutUint32(features, ethtoolGetFeatures)
	native.PutUint32(features[4:], uint32(blocks))
	if count == 0 || !ethtool(socket, link, names) || !ethtool(socket, link, features) {
		return nil
	}
	return activeFeatures(names[12:], features[8:])
}

// activeFeatures reads names of 32 bytes, and blocks of struct
// ethtool_get_features_block: available, requested, active, never changed.
func activeFeatures(names, blocks []byte) (on []string) {
	for i := 0; (i+1)*sizeofEthtoolName <= len(names) && (i/32+1)*16 <= len(blocks); i++ {
		name := unix.ByteSliceToString(names[i*sizeofEthtoolName : (i+1)*sizeofEthtoolName])
		active := native.Uint32(blocks[i/32*16+8:])
		if active&(1<<(i%32)) != 0 && slices.Contains(bypassing, name) {
			on = append(on, name)
		}
	}
	return on
}

func ethtool(socket int, link string, data []byte) bool {
	var request struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		rest [16]byte
	}
	copy(request.name[:unix.IFNAMSIZ-1], link)
	request.data = unsafe.Pointer(&data[0])
	_, _, number := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	return number == 0
}
