//go:build linux

package agent

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// parts are what else the test binary plays in a namespace, by WG_TEST_ROLE.
var parts = map[string]func(args []string) error{
	"obfuscator": obfuscate,
	"sender":     sendDatagrams,
	"icmp":       sendICMP,
	"knock":      knock,
	"xdp":        attachXDP,
}

// part is a command that plays a part in the namespace.
func (k *keeper) part(role string, args ...string) *exec.Cmd {
	command := k.enter("/proc/self/exe")
	command.Args[len(command.Args)-1], _ = os.Executable()
	command.Env = append(os.Environ(), "WG_TEST_ROLE="+role, "WG_TEST_ARGS="+strings.Join(args, " "))
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return command
}

// play runs a part to its end.
func (k *keeper) play(role string, args ...string) {
	k.t.Helper()
	if out, err := k.part(role, args...).CombinedOutput(); err != nil {
		k.t.Fatalf("%s %v: %v: %s", role, args, err, out)
	}
}

// send sends one datagram some times, each from a port of its own.
func (k *keeper) send(times int, to, data string) {
	k.t.Helper()
	k.play("sender", fmt.Sprint(times), to, hex.EncodeToString([]byte(data)))
}

func sendDatagrams(args []string) error {
	var times int
	if _, err := fmt.Sscan(args[0], &times); err != nil {
		return err
	}
	data, err := hex.DecodeString(args[2])
	if err != nil {
		return err
	}
	for range times {
		conn, err := net.Dial("udp4", args[1])
		if err != nil {
			return err
		}
		conn.Write(data) // an error would be the answer to an earlier one
		conn.Close()
	}
	return nil
}

// knock sends to a closed port until the other side refuses, which takes the way
// there and back.
func knock(args []string) error {
	conn, err := net.Dial("udp4", args[0]+":9")
	if err != nil {
		return err
	}
	defer conn.Close()
	// A handshake message that is lost is sent again after 5 s and up to a third more
	// (REKEY_TIMEOUT): twice that, 20 ms at a time.
	for range 700 {
		conn.Write([]byte("x"))
		conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
	}
	return errors.New("the tunnel does not work")
}

// sendICMP sends a "time exceeded" (RFC 792) that quotes a packet.
func sendICMP(args []string) error {
	quote, err := hex.DecodeString(args[1])
	if err != nil {
		return err
	}
	conn, err := net.Dial("ip4:icmp", args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	message := append([]byte{11, 0, 0, 0, 0, 0, 0, 0}, quote...)
	sum := checksum(message)
	message[2], message[3] = byte(sum>>8), byte(sum)
	_, err = conn.Write(message)
	return err
}

// checksum is that of the Internet, RFC 1071.
func checksum(data []byte) uint16 {
	var sum uint32
	for i, b := range data {
		if i%2 == 0 {
			sum += uint32(b) << 8
		} else {
			sum += uint32(b)
		}
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
