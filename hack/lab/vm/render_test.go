package vm

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	someGround = ground{qemu: "/q", busybox: "/b", kernel: kernel{image: "/k/vmlinuz", release: "6.1", modules: "/k/modules"}}
	someConfig = Config{Name: "lab", Dir: "/lab/vm", CacheDir: "/cache", NetNS: "/ns", Bridge: "br0", Memory: 2048, CPUs: 2,
		Command: []string{"/bin/lab", "node-host"}, Tmpfs: []string{"/lab/scratch", "/lab/logs/tmp"}, Shared: []string{"/lab/logs", "/lab/vm/"}}
)

func TestMachineArgs(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*Config)
		accel  string
		want   []string
		not    []string
	}{
		{"emulated", func(*Config) {}, AccelTCG, []string{
			"-name lab", "-display none", "-no-reboot", "-accel tcg,thread=multi", "-cpu max", "-smp 2", "-m 2048",
			"-serial file:/lab/vm/console.log", "-kernel /k/vmlinuz", "-initrd /lab/vm/initrd",
			"console=ttyS0", "tsc=reliable", "vm.epoch=1700000000",
			"-fsdev local,id=root,path=/,security_model=passthrough,multidevs=remap,readonly=on",
			"-device virtio-9p-pci,fsdev=root,mount_tag=root",
			"-fsdev local,id=shared0,path=/lab/vm,security_model=passthrough,multidevs=remap -device",
			"-fsdev local,id=shared1,path=/lab/logs,security_model=passthrough,multidevs=remap -device",
			"-netdev tap,id=eth0,fd=3", "virtio-net-pci,netdev=eth0,mac=52:54:",
		}, []string{"shared2", "user,", "hostfwd"}},
		{"kvm", func(*Config) {}, AccelKVM, []string{"-accel kvm", "-cpu host"}, []string{"tsc=reliable", "thread"}},
		{"no link", func(c *Config) { c.Bridge = "" }, AccelTCG, nil, []string{"netdev", "virtio-net"}},
	} {
		c := someConfig
		row.change(&c)
		line := strings.Join(machineArgs(someGround, c, row.accel, time.Unix(1700000000, 0)), " ")
		for _, want := range row.want {
			if !strings.Contains(line, want) {
				t.Errorf("%s: no %q in %s", row.name, want, line)
			}
		}
		for _, not := range row.not {
			if strings.Contains(line, not) {
				t.Errorf("%s: %q in %s", row.name, not, line)
			}
		}
	}
}

func TestMounts(t *testing.T) {
	want := "shared1 /lab/logs\ntmpfs /lab/logs/tmp\ntmpfs /lab/scratch\nshared0 /lab/vm"
	if got := strings.Join(someConfig.mounts(), "\n"); got != want {
		t.Errorf("mounts:\n%s\nwant parents first:\n%s", got, want)
	}
}

// TestMainScript lets a real shell run what the machine's shell will run.
func TestMainScript(t *testing.T) {
	c := someConfig
	c.Dir, c.WorkDir = t.TempDir(), t.TempDir()
	c.Output = filepath.Join(c.Dir, "output of it's command")
	c.Env = []string{"A=it's", `B=$(false) "x" \n`, "EMPTY="}
	c.Command = []string{"/bin/sh", "-c", `printf '%s|' "$@" "$A" "$B" "$EMPTY" "$PWD"; exit 7`, "sh", "two words", "a'b", "$HOME", "line\nbreak", ""}
	script := filepath.Join(c.Dir, "main")
	if err := os.WriteFile(script, []byte(c.mainScript()), 0o644); err != nil {
		t.Fatal(err)
	}
	err := exec.Command("/bin/sh", script).Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("the script ended with %v, want its command's 7", err)
	}
	want := "two words|a'b|$HOME|line\nbreak||it's|" + `$(false) "x" \n` + "||" + c.WorkDir + "|"
	if got, err := os.ReadFile(c.Output); err != nil || string(got) != want {
		t.Errorf("the command saw %q, %v\nwant %q", got, err, want)
	}
}

// TestSettings reads them with a real shell, as init.sh does.
func TestSettings(t *testing.T) {
	c := someConfig
	c.Modules = []string{"veth", "bridge"}
	settings := c.settings(someGround.kernel, []string{"virtio.ko", "9p.ko"})
	out, err := exec.Command("/bin/sh", "-euc", settings+`echo "$VM_NAME $VM_DIR $VM_MODULES"; for x in $VM_INSERT $VM_LOAD; do echo "$x"; done`).Output()
	if want := "lab /lab/vm /k/modules\nvirtio.ko\n9p.ko\nveth\nbridge\n"; err != nil || string(out) != want {
		t.Errorf("settings read as %q, %v; want %q", out, err, want)
	}
}

func TestInitScriptIsShell(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-n")
	cmd.Stdin = strings.NewReader(initScript)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("init.sh: %v\n%s", err, out)
	}
	for _, words := range []string{"ready ", "broken: "} {
		if !strings.Contains(initScript, words) {
			t.Errorf("init.sh never says %q", words)
		}
	}
}

func TestDefaults(t *testing.T) {
	c, err := Config{Name: "a", Dir: "/d", CacheDir: "/c", Command: []string{"true"}}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if c.Memory == 0 || c.CPUs == 0 || c.WorkDir != "/" || c.Output != "/d/main.log" || c.Progress == nil {
		t.Errorf("defaults are missing: %+v", c)
	}
	for problem, change := range map[string]func(*Config){
		"name":        func(c *Config) { c.Name = "Lab_1" },
		"at most":     func(c *Config) { c.Name = "a234567890123" },
		"no command":  func(c *Config) { c.Command = nil },
		"folder":      func(c *Config) { c.Dir = "relative" },
		"comma":       func(c *Config) { c.Shared = []string{"/a,readonly=off"} },
		"below /":     func(c *Config) { c.Shared = []string{"/"} },
		"quote":       func(c *Config) { c.Dir = "/it's" },
		"environment": func(c *Config) { c.Env = []string{"A B=1"} },
		"output":      func(c *Config) { c.Output = "/elsewhere/log" },
		"memory":      func(c *Config) { c.Memory = -1 },
	} {
		c := Config{Name: "a", Dir: "/d", CacheDir: "/c", Command: []string{"true"}}
		change(&c)
		if _, err := c.withDefaults(); err == nil {
			t.Errorf("%s: %+v was taken", problem, c)
		}
	}
}

func TestLinkNames(t *testing.T) {
	a, b := Config{Name: "a23456789012"}, Config{Name: "b"}
	if len(a.tap()) > 15 {
		t.Errorf("tap %s is longer than the kernel's 15 bytes", a.tap())
	}
	if a.mac() == b.mac() || !strings.HasPrefix(a.mac(), "52:54:") || len(a.mac()) != 17 {
		t.Errorf("addresses %s, %s: want two different ones below 52:54", a.mac(), b.mac())
	}
}
