//go:build linux

package host

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// listening is __SO_ACCEPTCON in the flags of /proc/net/unix.
const listening = "00010000"

// Sockets finds the control sockets of userspace WireGuard implementations,
// …/wireguard/NAME.sock, in the network namespace's list: they are seen there
// by name even where their folder is not shared with this process.
func (r Reader) Sockets() ([]evidence.Socket, error) {
	file, err := os.Open(r.Root.Path("proc/thread-self/net/unix"))
	if err != nil {
		return nil, fmt.Errorf("listing control sockets: %w", err)
	}
	defer file.Close()
	var sockets []evidence.Socket
	for lines := bufio.NewScanner(file); lines.Scan(); {
		// Num RefCount Protocol Flags Type St Inode Path
		fields := strings.Fields(lines.Text())
		if len(fields) != 8 || fields[3] != listening {
			continue
		}
		device, ok := strings.CutSuffix(path.Base(fields[7]), ".sock")
		// A link's name has at most 15 bytes, IFNAMSIZ.
		if !ok || device == "" || len(device) > 15 || path.Base(path.Dir(fields[7])) != "wireguard" {
			continue
		}
		if socket := (evidence.Socket{Path: fields[7], Device: device}); !slices.Contains(sockets, socket) {
			sockets = append(sockets, socket)
		}
	}
	return sockets, nil
}
