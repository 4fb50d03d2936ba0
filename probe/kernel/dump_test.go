//go:build linux

package kernel

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// Every namespace has at least its loopback; a question that the kernel does not
// know is an error, and the socket answers the next one.
func TestDump(t *testing.T) {
	conn, err := Open(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	const sizeofLinkMessage = 16
	names := func() (names []string) {
		err := conn.Dump(unix.RTM_GETLINK, make([]byte, sizeofLinkMessage), func(message []byte) {
			names = append(names, Parse(message, sizeofLinkMessage).Text(unix.IFLA_IFNAME))
		})
		if err != nil {
			t.Error(err)
		}
		return names
	}
	if found := names(); len(found) == 0 || found[0] != "lo" {
		t.Errorf("%q", found)
	}
	const unknown = 0xfff0
	err = conn.Dump(unknown, make([]byte, sizeofLinkMessage), func([]byte) { t.Error("an answer") })
	if !errors.Is(err, unix.EOPNOTSUPP) {
		t.Errorf("%v", err)
	}
	if found := names(); len(found) == 0 {
		t.Error("no second answer")
	}
	conn.Close()
	if err := conn.Dump(unix.RTM_GETLINK, make([]byte, sizeofLinkMessage), func([]byte) {}); err == nil {
		t.Error("an answer of a closed socket")
	}
	if err := List(99, unix.RTM_GETLINK, nil, nil); !errors.Is(err, unix.EPROTONOSUPPORT) {
		t.Errorf("%v", err)
	}
}
