package build

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// debian is a program that the lab runs, and the Debian package that brings it.
type debian struct{ program, name string }

var packages = []debian{
	{"runc", "runc"},
	{"iptables", "iptables"},
	{"nft", "nftables"},
	{"ip", "iproute2"},
	{"nsenter", "util-linux"},
	{"mount", "mount"},
	{"modprobe", "kmod"},
	{"conntrack", "conntrack"},
	{"ipset", "ipset"},
	{"ethtool", "ethtool"},
	{"tcpdump", "tcpdump"},
	{"busybox", "busybox-static"},
	{"python3", "python3"}, // traffic of tests
}

// InstallPackages installs those Debian packages whose programs are missing, more than those of every lab.
func InstallPackages(ctx context.Context, progress io.Writer, more ...debian) error {
	var missing []string
	for _, entry := range slices.Concat(packages, more) {
		if _, err := exec.LookPath(entry.program); err != nil {
			missing = append(missing, entry.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	start := time.Now()
	fmt.Fprintf(progress, "  %-12s installing %s\n", "packages", strings.Join(missing, " "))
	install := append([]string{"install", "--yes", "--quiet", "--no-install-recommends"}, missing...)
	if _, err := aptGet(ctx, install); err != nil {
		// The lists of packages may be old, or not there at all.
		if output, err := aptGet(ctx, []string{"update", "--quiet"}); err != nil {
			return fmt.Errorf("updating the package lists: %w\n%s", err, output)
		}
		if output, err := aptGet(ctx, install); err != nil {
			return fmt.Errorf("installing %s: %w\n%s", strings.Join(missing, " "), err, output)
		}
	}
	fmt.Fprintf(progress, "  %-12s installed in %s\n", "packages", time.Since(start).Round(100*time.Millisecond))
	return nil
}

func aptGet(ctx context.Context, args []string) ([]byte, error) {
	command := exec.CommandContext(ctx, "apt-get", args...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	return command.CombinedOutput()
}
