package remedy

import "strings"

// modules describes how a node comes to have the kernel module wireguard, by how the
// PRETTY_NAME of its os-release begins, the longest first; that is what the API
// shows as a node's OS image. A kernel's version number says little: some
// distributions ported the module back to 4.18 and 5.4, and some build later
// kernels without it.
var modules = []struct{ system, advice string }{
	// K3s requirements page; ELRepo's kmod packages.
	{"Red Hat Enterprise Linux 10", "dnf install -y kernel-modules-extra-$(uname -r)"},
	{"Rocky Linux 10", "dnf install -y kernel-modules-extra-$(uname -r)"},
	{"AlmaLinux 10", "dnf install -y kernel-modules-extra-$(uname -r)"},
	// In the kernel since 9.0, list wireguard at lists.zx2c4.com, 28 June 2022.
	{"Red Hat Enterprise Linux 9", "the kernel has it: dnf install -y kernel-modules-$(uname -r)"},
	{"Rocky Linux 9", "the kernel has it: dnf install -y kernel-modules-$(uname -r)"},
	{"AlmaLinux 9", "the kernel has it: dnf install -y kernel-modules-$(uname -r)"},
	{"Red Hat Enterprise Linux 8", kmod}, {"Rocky Linux 8", kmod}, {"AlmaLinux 8", kmod}, {"CentOS Stream 8", kmod},
	{"CentOS Linux", "its kernel has no WireGuard and gets no more updates: move to a later system"},
	{"Ubuntu", "apt-get install -y linux-modules-extra-$(uname -r), if this is a kernel for clouds or small machines"},
	{"Debian GNU/Linux 10", "its kernel has none: move to Debian 11 or later, whose kernels do"},
	{"Debian", "the kernels of Debian 11 and later have it: reboot if the running one was replaced by an update"},
	{"Raspbian", "the kernels since release 11 have it: reboot if the running one was replaced by an update"},
	// amazon-eks-ami issue 727.
	{"Amazon Linux 2023", "the kernel has it: reboot if the running one was replaced by an update"},
	{"Amazon Linux 2", "amazon-linux-extras install -y kernel-5.10, then reboot; or move to Amazon Linux 2023"},
	{"Flatcar", "the image has it since 2513: update the image"},
	{"Talos", "the image has it: talosctl upgrade"},
	{"Bottlerocket", "the image has it: update the image"},
	{"Container-Optimized OS", "this system has none: choose another node image"},
	// azurelinux issue 5135.
	{"CBL-Mariner", "the kernels since spring 2023 have it: update the node image"},
	{"Microsoft Azure Linux", "the kernels have it: update the node image"},
	// wireguard.com, installation, Oracle Linux.
	{"Oracle Linux Server", "the Unbreakable Enterprise Kernel (kernel-uek) has it since its release 6: " +
		"boot that kernel"},
	{"Alibaba Cloud Linux", "it needs kernel 5.10.134-13 or later: update and reboot"},
}

const kmod = "its kernel has none: dnf install -y elrepo-release epel-release && dnf install -y kmod-wireguard; " +
	"with Secure Boot, enrol ELRepo's key"

// moduleOf returns how a node of that OS image comes to have the module.
func moduleOf(image string) string {
	for _, m := range modules {
		if strings.HasPrefix(image, m.system) {
			return m.advice
		}
	}
	return "install the package of the running kernel's extra modules, or a kernel that has it"
}
