//go:build linux

package agent

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/conn"
	wireguard "golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/ipc"
	"golang.zx2c4.com/wireguard/tun"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence/columns"
)

// The test binary also plays an agent, and the keeper of a namespace.
func TestMain(m *testing.M) {
	switch os.Getenv("WG_TEST_ROLE") {
	case "agent":
		log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		if err := Run(context.Background(), os.Stdin, os.Stdout, Options{Version: "test", Log: log}); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	case "keeper":
		keep()
		os.Exit(0)
	}
	if part, ok := parts[os.Getenv("WG_TEST_ROLE")]; ok {
		if err := part(strings.Fields(os.Getenv("WG_TEST_ARGS"))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	judge.remove()
	os.Exit(code)
}

// keep holds a network and a mount namespace until stdin ends. A line on stdin
// is the name and the configuration of a WireGuard device to make.
func keep() {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err == nil {
		syscall.Mount("tmpfs", "/run", "tmpfs", 0, "")
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		name, config, _ := strings.Cut(lines.Text(), " ")
		if err := makeDevice(name, strings.ReplaceAll(config, " ", "\n")+"\n"); err != nil {
			fmt.Println("error", err)
		} else {
			fmt.Println("made")
		}
	}
}

func makeDevice(name, config string) error {
	link, err := tun.CreateTUN(name, 1420)
	if err != nil {
		return err
	}
	dev := wireguard.NewDevice(link, conn.NewDefaultBind(), wireguard.NewLogger(wireguard.LogLevelSilent, ""))
	if err := dev.IpcSet(config); err != nil {
		return err
	}
	if err := dev.Up(); err != nil {
		return err
	}
	file, err := ipc.UAPIOpen(name)
	if err != nil {
		return err
	}
	listener, err := ipc.UAPIListen(name, file)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go dev.IpcHandle(c)
		}
	}()
	return nil
}

// keeper is a pair of namespaces.
type keeper struct {
	t      *testing.T
	strict bool // a command that fails is a failure, not a reason to skip
	pid    int
	stdin  io.Writer
	stdout *bufio.Scanner
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), "WG_TEST_ROLE=keeper")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Pdeathsig: syscall.SIGKILL}
	stdin, _ := command.StdinPipe()
	stdout, _ := command.StdoutPipe()
	if err := command.Start(); err != nil {
		t.Skip("needs root to make a namespace:", err)
	}
	t.Cleanup(func() { stdin.Close(); command.Wait() })
	k := &keeper{t: t, pid: command.Process.Pid, stdin: stdin, stdout: bufio.NewScanner(stdout)}
	k.stdout.Scan()
	k.run("ip link set lo up")
	return k
}

func (k *keeper) enter(args ...string) *exec.Cmd {
	at := fmt.Sprintf("/proc/%d/ns/", k.pid)
	return exec.Command("nsenter", append([]string{"--net=" + at + "net", "--mount=" + at + "mnt"}, args...)...)
}

func (k *keeper) run(lines ...string) {
	k.t.Helper()
	for _, line := range lines {
		out, err := k.enter("sh", "-c", line).CombinedOutput()
		if err != nil && k.strict {
			k.t.Fatalf("%s: %v: %s", line, err, out)
		}
		if err != nil {
			k.t.Skipf("needs iproute2 and a kernel that does this: %s: %v: %s", line, err, out)
		}
	}
}

func (k *keeper) device(name, config string) {
	k.t.Helper()
	fmt.Fprintln(k.stdin, name, strings.ReplaceAll(strings.TrimSpace(config), "\n", " "))
	if k.stdout.Scan(); k.stdout.Text() != "made" {
		k.t.Skip("needs a TUN device, which cannot be made here:", k.stdout.Text())
	}
}

// client is the plugin's side of a session.
type client struct {
	t        *testing.T
	stdin    io.WriteCloser
	decoder  *evidence.Decoder
	columns  columns.Unpacker
	messages []*evidence.Message // unpacked
	stream   []*evidence.Message // as they came
	raw      strings.Builder
	wait     func() error
	next     uint32
}

func (k *keeper) agent() *client {
	k.t.Helper()
	command := k.enter("/proc/self/exe")
	command.Args[len(command.Args)-1], _ = os.Executable()
	command.Env = append(os.Environ(), "WG_TEST_ROLE=agent")
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c := &client{t: k.t}
	command.Stderr = &c.raw
	stdin, _ := command.StdinPipe()
	stdout, _ := command.StdoutPipe()
	if err := command.Start(); err != nil {
		k.t.Fatal(err)
	}
	c.stdin, c.wait, c.decoder = stdin, command.Wait, evidence.NewDecoder(io.TeeReader(stdout, &c.raw), 1<<24)
	k.t.Cleanup(func() { stdin.Close(); command.Wait() })
	return c
}

// ask sends a request and reads up to its answer.
func (c *client) ask(r evidence.Request) *evidence.Ready {
	c.t.Helper()
	c.next++
	r.ID = c.next
	line, err := evidence.EncodeRequest(&r)
	if err != nil {
		c.t.Fatal(err)
	}
	start := time.Now()
	c.stdin.Write(line)
	for {
		m, err := c.decoder.Next()
		if err != nil {
			c.t.Fatalf("request %s: %v\n%s", line, err, c.raw.String())
		}
		c.stream = append(c.stream, m)
		if err := c.columns.Unpack(m, func(one *evidence.Message) {
			c.messages = append(c.messages, one)
		}); err != nil {
			c.t.Error(err)
		}
		switch {
		case m.Hello != nil, m.Bye != nil:
			return nil
		case m.Ready != nil && m.Ready.Request == r.ID:
			c.t.Logf("%s took %s", m.Ready.What, time.Since(start).Round(100*time.Microsecond))
			return m.Ready
		}
	}
}

func keyPair(t *testing.T) wgtypes.Key {
	key, err := wgtypes.GeneratePrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}
