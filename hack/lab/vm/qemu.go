package vm

import (
	"fmt"
	"path/filepath"
	"time"
)

// Accelerators, as QEMU calls them.
const (
	AccelKVM = "kvm" // the host's own virtualisation
	AccelTCG = "tcg" // software emulation
)

// Files in a machine's folder, besides what its command leaves there.
const (
	consoleFile  = "console.log" // kernel and init.sh
	qemuFile     = "qemu.log"    // QEMU's own words
	mainFile     = "main.log"    // the command's output, if Config.Output names no other file
	exitFile     = "exit"        // the command's exit status
	initrdFile   = "initrd"
	identityFile = "machine.json"
)

// inheritedTap is the descriptor under which QEMU finds the one file it inherits; os/exec counts from 3.
const inheritedTap = 3

// basicArgs is a machine without files and links: what every boot needs.
func basicArgs(g ground, accel, dir string, memory, cpus int, appended string) []string {
	cpu := "host"
	if accel == AccelTCG {
		// erms promises a fast "rep movsb", and the kernel clears pages with it; the emulator goes byte by byte.
		accel, cpu = "tcg,thread=multi", "max,erms=off"
	}
	return []string{
		"-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
		"-machine", "pc", "-accel", accel, "-cpu", cpu,
		"-smp", fmt.Sprint(cpus), "-m", fmt.Sprint(memory),
		"-serial", "file:" + filepath.Join(dir, consoleFile),
		"-kernel", g.kernel.image, "-initrd", filepath.Join(dir, initrdFile),
		"-append", appended,
	}
}

// kernelArgs is the kernel's command line. The machine runs the lab's own programs on a slow processor: defences
// against hostile programs would only cost time, and watchdogs would report a busy host as a hung machine. AppArmor
// is off because containerd would want its profile loader; SELinux would take its place. panic=-1 with QEMU's
// -no-reboot makes a panic end QEMU. Without norandmaps every exec brings new addresses and so a new translation:
// /bin/true then takes 35 ms, not 12.
func kernelArgs(accel string, now time.Time) string {
	args := "console=ttyS0 quiet panic=-1 mitigations=off nokaslr norandmaps no5lvl apparmor=0 selinux=0 audit=0 nowatchdog " +
		"rcupdate.rcu_cpu_stall_suppress=1 net.ifnames=0"
	if accel == AccelTCG {
		// Emulated processors share one counter, which the kernel cannot know; else each clock reading costs 1.5 µs.
		args += " tsc=reliable"
	}
	return fmt.Sprintf("%s vm.epoch=%d", args, now.Unix())
}

// machineArgs is the whole command line of a machine.
func machineArgs(g ground, c Config, accel string, now time.Time) []string {
	args := append([]string{"-name", c.Name}, basicArgs(g, accel, c.Dir, c.Memory, c.CPUs, kernelArgs(accel, now))...)
	files := append([]share{{tag: "root", dir: "/"}}, c.shares()...)
	for i, file := range files {
		// multidevs=remap: the tree spans many file systems, and the machine must not confuse equal inode numbers.
		device := fmt.Sprintf("local,id=%s,path=%s,security_model=passthrough,multidevs=remap", file.tag, file.dir)
		if i == 0 {
			device += ",readonly=on"
		}
		args = append(args, "-fsdev", device, "-device", fmt.Sprintf("virtio-9p-pci,fsdev=%[1]s,mount_tag=%[1]s", file.tag))
	}
	if c.Bridge != "" {
		args = append(args, "-netdev", fmt.Sprintf("tap,id=eth0,fd=%d", inheritedTap),
			"-device", fmt.Sprintf("virtio-net-pci,netdev=eth0,mac=%s,romfile=", c.mac()))
	}
	return args
}
