package remedy

import (
	"slices"
	"strings"
)

// modules describes how a node comes to have the kernel module wireguard, by how the
// PRETTY_NAME of its os-release begins, the longest first; that is what the API
// shows as a node's OS image. A kernel's version number says little: some
// distributions ported the module back to 4.18 and 5.4, and some build later
// kernels without it.
//
// install is the command of it, empty where there is none: the kernel has it, another
// image is needed, or the system has no shell.
var modules = []struct{ system, advice, install string }{
	// K3s requirements page; ELRepo's kmod packages.
	{"Red Hat Enterprise Linux 10", extraModules, extraModules},
	{"Rocky Linux 10", extraModules, extraModules},
	{"AlmaLinux 10", extraModules, extraModules},
	// In the kernel since 9.0, list wireguard at lists.zx2c4.com, 28 June 2022.
	{"Red Hat Enterprise Linux 9", "the kernel has it: " + kernelModules, kernelModules},
	{"Rocky Linux 9", "the kernel has it: " + kernelModules, kernelModules},
	{"AlmaLinux 9", "the kernel has it: " + kernelModules, kernelModules},
	{"Red Hat Enterprise Linux 8", kmod, elrepo},
	{"Rocky Linux 8", kmod, elrepo},
	{"AlmaLinux 8", kmod, elrepo},
	{"CentOS Stream 8", kmod, elrepo},
	{"CentOS Linux 8", "it gets no more updates; until you move to a later system: " + elrepo, elrepo},
	{"CentOS Linux", "its kernel has no WireGuard and gets no more updates: move to a later system", ""},
	{"Ubuntu", extraPackage + ", if this is a kernel for clouds or small machines", extraPackage},
	{"Debian GNU/Linux 10", "its kernel has none: move to Debian 11 or later, whose kernels do", ""},
	{"Debian", "the kernels of Debian 11 and later have it: reboot if the running one was replaced by an update", ""},
	{"Raspbian GNU/Linux 10", "its kernel has none: move to Raspberry Pi OS 11 or later, whose kernels do", ""},
	{"Raspbian", "the kernels since release 11 have it: reboot if the running one was replaced by an update", ""},
	// openSUSE and SLE 15 SP2 brought it with kernel 5.3 (backported), list wireguard at lists.zx2c4.com, March 2020.
	{"SUSE Linux Enterprise Micro", "the kernels have it: transactional-update pkg install kernel-default, then reboot", ""},
	{"SUSE Linux Enterprise Server 15", "the package kernel-default has it since SP2 (kernel-default-base may not): " +
		"zypper install -y kernel-default, then reboot", defaultKernel},
	{"SUSE Linux Enterprise", "SLE 15 SP2 is the first with it: update the system", ""},
	{"openSUSE", "the package kernel-default has it (kernel-default-base may not): zypper install -y kernel-default, " +
		"then reboot", defaultKernel},
	{"Fedora", "the kernels have it: " + kernelModules, kernelModules},
	{"Alpine Linux", "linux-lts has it since Alpine 3.13: apk add linux-lts, then reboot", ""},
	// amazon-eks-ami issue 727.
	{"Amazon Linux 2023", "the kernel has it: reboot if the running one was replaced by an update", ""},
	{"Amazon Linux 2", "amazon-linux-extras install -y kernel-5.10, then reboot; or move to Amazon Linux 2023", ""},
	{"Flatcar", "the image has it since 2513: update the image", ""},
	{"Talos", "the image has it: talosctl upgrade", ""},
	{"Bottlerocket", "the image has it: update the image", ""},
	{"Container-Optimized OS", "this system has none: choose another node image", ""},
	// azurelinux issue 5135.
	{"CBL-Mariner", "the kernels since spring 2023 have it: update the node image", ""},
	{"Microsoft Azure Linux", "the kernels have it: update the node image", ""},
	// wireguard.com, installation, Oracle Linux.
	{"Oracle Linux Server", "the Unbreakable Enterprise Kernel (kernel-uek) has it since its release 6: " +
		"boot that kernel", ""},
	{"Alibaba Cloud Linux", "it needs kernel 5.10.134-13 or later: update and reboot", ""},
}

// The commands that install it, which the advice of several systems names.
const (
	extraModules  = "dnf install -y kernel-modules-extra-$(uname -r)"
	kernelModules = "dnf install -y kernel-modules-$(uname -r)"
	extraPackage  = "apt-get install -y linux-modules-extra-$(uname -r)"
	defaultKernel = "zypper install -y kernel-default"
	elrepo        = "dnf install -y elrepo-release epel-release && dnf install -y kmod-wireguard"

	kmod = "its kernel has none: " + elrepo + "; with Secure Boot, enrol ELRepo's key"
)

// shellless are systems on which nobody types a command, by how their OS image begins.
var shellless = []string{"Talos", "Bottlerocket", "Container-Optimized OS"}

// HasShell reports whether commands can be typed on a node with that OS image.
func HasShell(image string) bool {
	return !slices.ContainsFunc(shellless, func(system string) bool { return strings.HasPrefix(image, system) })
}

// Module returns how a node with that OS image comes to have the kernel module
// wireguard, and the command that installs it, empty if there is none.
func Module(image string) (advice, install string) {
	for _, m := range modules {
		if strings.HasPrefix(image, m.system) {
			return m.advice, m.install
		}
	}
	return "install the package of the running kernel's extra modules, or a kernel that has it", ""
}

// moduleOf returns how a node of that OS image comes to have the module.
func moduleOf(image string) string {
	advice, _ := Module(image)
	return advice
}
