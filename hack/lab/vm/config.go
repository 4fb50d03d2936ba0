package vm

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Config describes one machine. Name, Dir, CacheDir and Command are required.
type Config struct {
	Name     string   // host name in the machine: lower-case letters, digits and dashes, at most 12, as it names the tap
	Dir      string   // the machine's own folder, absolute; kept for logs, writable in the machine under the same path
	CacheDir string   // kernel and busybox, shared by all machines, absolute; filled when empty (90 MB, network)
	Memory   int      // MiB, 0 means 3072; an upper bound, the host gives what is used
	CPUs     int      // 0 means all of the host's, at most 4
	NetNS    string   // network namespace for QEMU and its tap, a path that setns(2) takes; "" means the caller's
	Bridge   string   // bridge in NetNS which the machine's eth0 joins; "" means no eth0
	Command  []string // the machine's main process, as root; when it ends, so does the machine
	Env      []string // KEY=VALUE for Command; PATH and HOME have defaults
	Output   string   // file for both streams of Command, below Dir or a shared folder; "" means Dir/main.log
	WorkDir  string   // where Command starts, "" means /
	Tmpfs    []string // folders that are tmpfs in the machine: state that cannot lie on overlay or 9p
	Shared   []string // folders of the host that are writable in the machine under the same path
	Resident []string // programs by name, files and folders of the host to hold in the machine's memory, for speed
	Modules  []string // kernel modules to load before Command; others load on demand

	// Progress receives what is going on, in a few words; nil means nobody.
	Progress func(string)
}

var machineName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$`)

// withDefaults checks the configuration and fills what was left empty.
func (c Config) withDefaults() (Config, error) {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !machineName.MatchString(c.Name) {
		bad("name %q: want 1 to 12 lower-case letters, digits, dashes", c.Name)
	}
	if len(c.Command) == 0 {
		bad("no command")
	}
	for _, dir := range slices.Concat([]string{c.Dir, c.CacheDir}, c.Tmpfs, c.Shared) {
		// QEMU's option syntax gives the comma a meaning, init.sh the others.
		if !filepath.IsAbs(dir) || filepath.Clean(dir) == "/" || strings.ContainsAny(dir, ",'\n") {
			bad("folder %q: want an absolute path below / without comma, quote and line break", dir)
		}
	}
	for _, entry := range c.Env {
		if key, _, found := strings.Cut(entry, "="); !found || !variableName.MatchString(key) {
			bad("environment entry %q: want KEY=VALUE", entry)
		}
	}
	if c.Output != "" && !slices.ContainsFunc(c.shares(), func(s share) bool { return strings.HasPrefix(c.Output, s.dir+"/") }) {
		bad("output %q: want a file below the machine's own or a shared folder", c.Output)
	}
	if c.Memory < 0 || c.CPUs < 0 {
		bad("memory %d MiB, %d CPUs: want none below zero", c.Memory, c.CPUs)
	}
	if len(problems) > 0 {
		return c, fmt.Errorf("configuring the VM: %w", errors.Join(problems...))
	}
	if c.Memory == 0 {
		c.Memory = 3072
	}
	if c.CPUs == 0 {
		c.CPUs = min(runtime.NumCPU(), 4)
	}
	if c.Output == "" {
		c.Output = filepath.Join(c.Dir, mainFile)
	}
	if c.WorkDir == "" {
		c.WorkDir = "/"
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c, nil
}

// share is a folder of the host that is writable in the machine.
type share struct{ tag, dir string }

// shares lists the writable folders, the machine's own first, none twice.
func (c Config) shares() []share {
	var shares []share
	var seen []string
	for _, dir := range append([]string{c.Dir}, c.Shared...) {
		if dir = filepath.Clean(dir); !slices.Contains(seen, dir) {
			shares = append(shares, share{tag: fmt.Sprintf("shared%d", len(seen)), dir: dir})
			seen = append(seen, dir)
		}
	}
	return shares
}

// mounts lists what the machine mounts over the host's files, as "source folder": parents first, so that no mount is
// hidden by a later one.
func (c Config) mounts() []string {
	all := c.shares()
	for _, dir := range c.Tmpfs {
		all = append(all, share{tag: "tmpfs", dir: filepath.Clean(dir)})
	}
	slices.SortStableFunc(all, func(a, b share) int { return strings.Compare(a.dir, b.dir) })
	lines := make([]string, len(all))
	for i, mount := range all {
		lines[i] = mount.tag + " " + mount.dir
	}
	return lines
}

// mac is a locally administered address for eth0, the same for the same name on every start.
func (c Config) mac() string {
	sum := fnv.New32a()
	sum.Write([]byte(c.Name))
	return net.HardwareAddr(sum.Sum([]byte{0x52, 0x54})).String()
}

// tap is the name of the host's end of eth0; 15 bytes are the kernel's limit.
func (c Config) tap() string { return "vm-" + c.Name }
