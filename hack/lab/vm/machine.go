package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopPatience is what QEMU gets to end by itself. The machine has no state worth saving.
const stopPatience = 5 * time.Second

// Machine is a started VM. It outlives the process that started it; Open finds it again by its folder.
type Machine struct {
	Dir     string `json:"-"`
	Name    string
	Accel   string // AccelKVM or AccelTCG
	Release string // the kernel's, as uname -r says in the machine
	NetNS   string
	QEMU    process
}

// Start boots a machine and returns when its kernel runs, all is mounted, and Command is about to start. ctx bounds
// the start, not the machine's life. On an error nothing is left but the logs in Dir.
func Start(ctx context.Context, config Config) (*Machine, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if m, err := Open(c.Dir); err == nil && m.Running() {
		return nil, fmt.Errorf("starting VM %s: one runs already in %s, process %d", c.Name, c.Dir, m.QEMU.PID)
	}
	g, err := prepare(ctx, c.CacheDir, c.Progress)
	if err != nil {
		return nil, err
	}
	accel, err := chooseAccel(ctx, g, c.CacheDir, c.Progress)
	if err != nil {
		return nil, err
	}
	if err := layOut(g, c); err != nil {
		return nil, fmt.Errorf("starting VM %s: %w", c.Name, err)
	}
	c.Progress(fmt.Sprintf("booting kernel %s with %s", g.kernel.release, accel))
	m := &Machine{Dir: c.Dir, Name: c.Name, Accel: accel, NetNS: c.NetNS}
	if err := m.launch(g, c); err != nil {
		return nil, fmt.Errorf("starting VM %s: %w", c.Name, err)
	}
	m.Release, err = awaitReady(ctx, filepath.Join(c.Dir, consoleFile), m.Running)
	if err == nil {
		err = m.save()
	}
	if err != nil {
		said, _ := os.ReadFile(filepath.Join(c.Dir, qemuFile))
		return nil, errors.Join(fmt.Errorf("starting VM %s: %w\n%s", c.Name, err, lastLines(string(said), 5)), m.Stop())
	}
	return m, nil
}

// layOut prepares the machine's folder: what an earlier run left goes, the initramfs comes.
func layOut(g ground, c Config) error {
	for _, share := range c.shares() {
		if err := os.MkdirAll(share.dir, 0o755); err != nil {
			return fmt.Errorf("making a shared folder: %w", err)
		}
	}
	for _, name := range []string{consoleFile, qemuFile, mainFile, exitFile, identityFile} {
		if err := os.Remove(filepath.Join(c.Dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("clearing the VM's folder: %w", err)
		}
	}
	archive, err := initramfs(g, c)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.Dir, initrdFile), archive, 0o644); err != nil {
		return fmt.Errorf("writing the initramfs: %w", err)
	}
	return nil
}

// launch starts QEMU in the machine's network namespace and notes who it is.
func (m *Machine) launch(g ground, c Config) error {
	log, err := os.Create(filepath.Join(c.Dir, qemuFile))
	if err != nil {
		return fmt.Errorf("opening QEMU's log: %w", err)
	}
	defer log.Close()
	return inNetNS(c.NetNS, func() error {
		cmd := exec.Command(g.qemu, machineArgs(g, c, m.Accel, time.Now())...)
		cmd.Stdout, cmd.Stderr = log, log
		if c.Bridge != "" {
			tap, err := openTap(c.tap(), c.Bridge)
			if err != nil {
				return err
			}
			defer tap.Close()
			cmd.ExtraFiles = []*os.File{tap}
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it outlives this process and its terminal
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("starting QEMU: %w", err)
		}
		go func() { _ = cmd.Wait() }() // reaps it, should it end before this process
		if m.QEMU, err = identify(cmd.Process.Pid); err == nil {
			err = m.save()
		}
		if err != nil {
			return errors.Join(err, cmd.Process.Kill())
		}
		return nil
	})
}

func (m *Machine) save() error {
	raw, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(m.Dir, identityFile), append(raw, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("noting the VM's identity: %w", err)
	}
	return nil
}

// Open finds the machine that was started in dir. It may have ended since: see Running.
func Open(dir string) (*Machine, error) {
	m := &Machine{Dir: dir}
	raw, err := os.ReadFile(filepath.Join(dir, identityFile))
	if err == nil {
		err = json.Unmarshal(raw, m)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the VM in %s: %w", dir, err)
	}
	return m, nil
}

// Running reports whether the machine is up.
func (m *Machine) Running() bool { return m.QEMU.alive() }

// Wait returns the exit status of the machine's command when the machine has powered off. A machine that ended
// without the command's end (panic, Stop) is an error with the end of its console.
func (m *Machine) Wait(ctx context.Context) (status int, err error) {
	if err := m.QEMU.wait(ctx); err != nil {
		return 0, fmt.Errorf("waiting for VM %s: %w", m.Name, err)
	}
	raw, err := os.ReadFile(filepath.Join(m.Dir, exitFile))
	if err == nil {
		status, err = strconv.Atoi(strings.TrimSpace(string(raw)))
	}
	if err != nil {
		console, _ := os.ReadFile(filepath.Join(m.Dir, consoleFile))
		return 0, fmt.Errorf("VM %s ended without its command: %w, console:\n%s", m.Name, err, lastLines(string(console), 20))
	}
	return status, nil
}

// Stop ends the machine within twice five seconds, and is content if it has ended already. Its links go with it.
func (m *Machine) Stop() error {
	if err := m.QEMU.stop(stopPatience); err != nil {
		return fmt.Errorf("stopping VM %s: %w", m.Name, err)
	}
	if err := os.Remove(filepath.Join(m.Dir, identityFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("stopping VM %s: %w", m.Name, err)
	}
	return nil
}
