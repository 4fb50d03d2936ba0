package remedy

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// OS images as nodes report them.
func TestModuleBySystem(t *testing.T) {
	for image, part := range map[string]string{
		"Rocky Linux 8.10 (Green Obsidian)":           "kmod-wireguard",
		"Red Hat Enterprise Linux 9.4 (Plow)":         "kernel-modules-$(uname -r)",
		"Red Hat Enterprise Linux 10.0 (Coughlan)":    "kernel-modules-extra",
		"Ubuntu 24.04.1 LTS":                          "linux-modules-extra-$(uname -r)",
		"Debian GNU/Linux 12 (bookworm)":              "Debian 11 and later",
		"Debian GNU/Linux 10 (buster)":                "move to Debian 11",
		"Amazon Linux 2":                              "kernel-5.10",
		"Amazon Linux 2023.6.20241010":                "the kernel has it",
		"Container-Optimized OS from Google":          "another node image",
		"CBL-Mariner/Linux":                           "spring 2023",
		"Microsoft Azure Linux 3.0":                   "update the node image",
		"Oracle Linux Server 8.10":                    "kernel-uek",
		"some system that nobody has heard of":        "extra modules",
		"Rocky Linux 9.9'; rm -rf / #\n\x1b[31m":      "kernel-modules-$(uname -r)",
		"Flatcar Container Linux by Kinvolk 3815.2.0": "update the image",
	} {
		hint, ok := For(verdict.Finding{Code: "WG0201", Variant: "missing",
			Facts: map[string]string{"node": "n1", "device": "flannel-wg", "system": image}}, "k3s")
		if !ok || len(hint.Steps) == 0 || hint.Steps[0].Command != "modprobe wireguard" {
			t.Fatalf("%s: %+v", image, hint)
		}
		if note := hint.Steps[0].Note; !strings.Contains(note, part) || strings.ContainsAny(note, "{\x1b") ||
			strings.Contains(note, "rm -rf") {
			t.Errorf("%s: %q, want %q in it", image, note, part)
		}
	}
}

// The first that fits is taken, so a longer name must stand before a shorter one.
func TestModulesAreReachable(t *testing.T) {
	for _, m := range modules {
		if moduleOf(m.system) != m.advice {
			t.Errorf("%q is hidden by an earlier row", m.system)
		}
	}
}
