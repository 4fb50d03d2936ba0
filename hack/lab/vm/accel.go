package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const kvmDevice = "/dev/kvm"

// trialTime bounds the boot that shows whether KVM is of use; emulated it takes 3 s.
const trialTime = 10 * time.Second

// Available reports whether this machine can boot a VM, how or why not, and which accelerator it would take.
// It changes nothing; what is missing but can be fetched counts as there. AccelKVM is then still subject to a trial
// boot by Start.
func Available(ctx context.Context) (ok bool, why, accel string) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return false, fmt.Sprintf("the VM is linux/amd64 and needs such a host, this is %s/%s", runtime.GOOS, runtime.GOARCH), ""
	}
	if os.Geteuid() != 0 {
		return false, "the VM needs root: for its tap devices and to show the host's files to the machine", ""
	}
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg"} {
		if _, err := exec.LookPath(tool); err != nil {
			return false, "the VM's kernel comes from Debian packages, and there is no " + tool, ""
		}
	}
	if tun, err := os.OpenFile(tunDevice, os.O_RDWR, 0); err != nil {
		return false, fmt.Sprintf("the VM's links need tap devices: %v", err), ""
	} else {
		_ = tun.Close()
	}
	if err := probeKVM(); err != nil {
		return true, fmt.Sprintf("by software emulation, as KVM is of no use: %v", err), AccelTCG
	}
	return true, "with KVM", AccelKVM
}

// probeKVM looks for the processor's own virtualisation and asks the kernel for a virtual machine with one processor,
// without running it. The device alone says nothing: a paravirtualised host (KVM_PVM) has one on which a stock kernel
// hangs silently.
func probeKVM() error {
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil && !virtualising(string(info)) {
		return errors.New("the processor shows neither vmx nor svm")
	}
	const (
		getAPIVersion = 0xAE00 // linux/kvm.h
		createVM      = 0xAE01
		createVCPU    = 0xAE41
		apiVersion    = 12
	)
	device, err := unix.Open(kvmDevice, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening %s: %w", kvmDevice, err)
	}
	defer unix.Close(device)
	call := func(fd, request int) (int, error) {
		result, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), 0)
		if errno != 0 {
			return 0, errno
		}
		return int(result), nil
	}
	if version, err := call(device, getAPIVersion); err != nil {
		return fmt.Errorf("asking for KVM's version: %w", err)
	} else if version != apiVersion {
		return fmt.Errorf("KVM version %d, want %d", version, apiVersion)
	}
	machine, err := call(device, createVM)
	if err != nil {
		return fmt.Errorf("making a virtual machine: %w", err)
	}
	defer unix.Close(machine)
	processor, err := call(machine, createVCPU)
	if err != nil {
		return fmt.Errorf("making a virtual processor: %w", err)
	}
	return unix.Close(processor)
}

// virtualising looks for Intel's or AMD's virtualisation among the flags of /proc/cpuinfo.
func virtualising(cpuinfo string) bool {
	for line := range strings.Lines(cpuinfo) {
		name, flags, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == "flags" {
			fields := strings.Fields(flags)
			return slices.Contains(fields, "vmx") || slices.Contains(fields, "svm")
		}
	}
	return false
}

// verdict is what a trial boot showed, valid for one boot of the host.
type verdict struct {
	HostBoot, Kernel, Accel, Why string
}

// chooseAccel takes KVM where it boots this very kernel, else software emulation. The trial's result is kept in cache.
func chooseAccel(ctx context.Context, g ground, cache string, progress func(string)) (accel string, err error) {
	if err := probeKVM(); err != nil {
		return AccelTCG, nil
	}
	name := filepath.Join(cache, "accelerator.json")
	boot, err := hostBoot()
	if err != nil {
		return "", err
	}
	var v verdict
	if raw, err := os.ReadFile(name); err == nil && json.Unmarshal(raw, &v) == nil && v.HostBoot == boot && v.Kernel == g.kernel.release {
		return v.Accel, nil
	}
	progress("trying KVM")
	v = verdict{HostBoot: boot, Kernel: g.kernel.release, Accel: AccelKVM}
	if err := tryBoot(ctx, g, AccelKVM); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("trying KVM: %w", ctx.Err())
		}
		v.Accel, v.Why = AccelTCG, err.Error()
		progress("KVM does not boot the kernel, taking software emulation")
	}
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "", fmt.Errorf("writing the trial's result: %w", err)
	}
	return v.Accel, os.WriteFile(name, append(raw, '\n'), 0o644)
}

// tryBoot starts the kernel with init.sh and nothing else, and returns nil if it came up.
func tryBoot(ctx context.Context, g ground, accel string) error {
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	dir, err := os.MkdirTemp("", "vm-trial")
	if err != nil {
		return fmt.Errorf("making the trial's folder: %w", err)
	}
	defer os.RemoveAll(dir)
	archive, err := initramfs(g, Config{Name: "trial", Dir: dir})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, initrdFile), archive, 0o644); err != nil {
		return fmt.Errorf("writing the trial's initramfs: %w", err)
	}
	out, err := exec.CommandContext(ctx, g.qemu, basicArgs(g, accel, dir, 512, 1, kernelArgs(accel, time.Now())+" vm.trial")...).CombinedOutput()
	console, _ := os.ReadFile(filepath.Join(dir, consoleFile))
	if strings.Contains(string(console), sayReady) {
		return nil
	}
	if err == nil {
		err = errors.New("QEMU ended")
	}
	return fmt.Errorf("a trial boot with %s did not come up: %w: %s", accel, err, lastLines(string(out)+string(console), 10))
}

func hostBoot() (string, error) {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("reading the host's boot id: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}
