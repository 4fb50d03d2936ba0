package device

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Limits on a control socket, which belongs to a program we do not know.
const (
	socketTimeout = 2 * time.Second
	socketLimit   = 16 << 20 // bytes; a peer takes about 400, an allowed IP about 30
)

// defaultFolders are where every cross-platform implementation puts its
// sockets, https://www.wireguard.com/xplatform/.
var defaultFolders = []string{"/var/run/wireguard", "/run/wireguard"}

// errProtocol is wrapped by every error about the content of an answer. No
// such error quotes the answer.
var errProtocol = errors.New("unreadable answer of a control socket")

// readSocket asks a userspace device for its state. wgctrl could do it too,
// but not without asking the kernel for its WireGuard first, which can load
// the module, and not with a deadline.
func (r *Reader) readSocket(target Target) (evidence.Device, []evidence.Peer, error) {
	conn, err := r.dial(target)
	if err != nil {
		return evidence.Device{}, nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(socketTimeout))
	if _, err := conn.Write([]byte("get=1\n\n")); err != nil {
		return evidence.Device{}, nil, err
	}
	answer, err := readAnswer(conn)
	defer clear(answer)
	if err != nil {
		return evidence.Device{}, nil, err
	}
	return parseAnswer(answer, r.now())
}

func (r *Reader) dial(target Target) (net.Conn, error) {
	folders := r.Folders
	if folders == nil {
		folders = defaultFolders
	}
	var paths []string
	for _, folder := range folders {
		paths = append(paths, filepath.Join(folder, filepath.Base(target.Name)+".sock"))
	}
	var first error
	for _, path := range append(paths, target.Socket) {
		conn, err := net.DialTimeout("unix", path, socketTimeout)
		if err == nil {
			return conn, nil
		}
		if first == nil || errors.Is(first, fs.ErrNotExist) {
			first = err
		}
	}
	return nil, first
}

// readAnswer reads up to the empty line that ends an answer. The answer holds
// keys: whatever buffer held a part of it is overwritten before it is let go.
func readAnswer(conn net.Conn) ([]byte, error) {
	buffer := make([]byte, 0, 64<<10)
	for {
		if len(buffer) == cap(buffer) {
			if cap(buffer) >= socketLimit {
				return buffer, fmt.Errorf("%w: it is longer than %d bytes", errProtocol, socketLimit)
			}
			larger := make([]byte, len(buffer), 2*cap(buffer))
			copy(larger, buffer)
			clear(buffer)
			buffer = larger
		}
		n, err := conn.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if bytes.HasSuffix(buffer, []byte("\n\n")) {
			return buffer, nil
		}
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return buffer, err
			}
			return buffer, fmt.Errorf("%w: it is cut off", errProtocol)
		}
	}
}
