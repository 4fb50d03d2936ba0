package architecture

import (
	"slices"
	"strings"
	"testing"
)

// A rule that was never seen to fail proves nothing: each row breaks one.
func TestImportsFinds(t *testing.T) {
	for _, test := range []struct {
		name     string
		packages []Package
		want     string
	}{
		{"against the direction", []Package{own("probe/evidence", Module+"/probe/wire")},
			"probe/evidence → probe/wire: against the direction"},
		{"evidence packs by itself", []Package{own("probe/evidence", Module+"/probe/evidence/columns")},
			"probe/evidence → probe/evidence/columns: against the direction"},
		{"the probe keeps a recording", []Package{own("probe/agent", Module+"/plugin/recording")},
			"probe/agent → plugin/recording: against the direction"},
		{"a recording is judged where it is kept", []Package{own("plugin/recording", Module+"/plugin/verdict")},
			"plugin/recording → plugin/verdict: against the direction"},
		{"a recording opens its file", []Package{own("plugin/recording", "os")}, "plugin/recording → os: a pure package"},
		{"an unlisted package", []Package{own("plugin/util")}, "plugin/util: this package is not among Layers"},
		{"the product imports a tool", []Package{own("plugin/run", Module+"/hack/release")}, "plugin/run → hack/release: against"},
		{"Kubernetes in the probe, through another", []Package{
			own("probe/host", "example.org/a"), {Path: "example.org/a", Imports: []string{"k8s.io/api/core/v1"}},
		}, "probe/host → example.org/a → k8s.io/api/core/v1: the probe knows nothing"},
		{"the plugin imports a collector", []Package{own("plugin/run", Module+"/probe/capture")}, "plugin/run → probe/capture: the plugin builds"},
		{"wgctrl elsewhere", []Package{own("probe/host", "golang.zx2c4.com/wireguard/wgctrl")}, "only probe/device"},
		{"pcap", []Package{own("probe/capture", "github.com/google/gopacket/pcap")}, "the only packet socket"},
		{"a second client", []Package{own("plugin/run", "k8s.io/client-go/kubernetes")}, "only plugin/cluster speaks"},
		{"a client in a pure package", []Package{
			own("plugin/report", "example.org/a"), {Path: "example.org/a", Imports: []string{"k8s.io/client-go/rest"}},
		}, "plugin/report → example.org/a → k8s.io/client-go/rest: a pure package"},
		{"a pure package opens files", []Package{own("plugin/check", "os")}, "plugin/check → os: a pure package"},
		{"a pure package resolves names", []Package{own("probe/wire", "net")}, "probe/wire → net: a pure package"},
		{"a pure package serves", []Package{own("plugin/report", "net/http")}, "plugin/report → net/http"},
		{"the probe runs programs", []Package{own("probe/host", "os/exec")}, "probe/host → os/exec: the probe's image"},
		{"evidence has a dependency", []Package{own("probe/evidence", "sigs.k8s.io/yaml")}, "standard library only"},
		{"cgo", []Package{{Path: Module + "/probe/host", Cgo: []string{"c.go"}}}, "no cgo"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := Imports(append(test.packages, standard...))
			if !slices.ContainsFunc(found, func(line string) bool { return strings.Contains(line, test.want) }) {
				t.Errorf("found %q, want a line with %q", found, test.want)
			}
		})
	}
}

func TestImportsAccepts(t *testing.T) {
	found := Imports(append([]Package{
		own("probe/evidence", "encoding/json", "net/netip", "io"),
		own("probe/device", "net", Module+"/probe/evidence", "golang.zx2c4.com/wireguard/wgctrl"),
		own("probe/evidence/columns", Module+"/probe/evidence", "encoding/json"),
		own("plugin/recording", Module+"/probe/evidence", "compress/flate"),
		own("plugin/graph", Module+"/probe/evidence", Module+"/probe/evidence/columns"),
		own("plugin/verdict", Module+"/plugin/graph"),
		own("plugin/cluster", "k8s.io/client-go/kubernetes", Module+"/manifests"),
		own("plugin/report", Module+"/probe/wire", Module+"/plugin/check", "io", "fmt"),
		own("hack/anything", "os/exec", Module+"/plugin/run"),
	}, standard...))
	if len(found) > 0 {
		t.Errorf("found %q, want nothing", found)
	}
}

var standard = []Package{
	{Path: "encoding/json", Standard: true}, {Path: "net/netip", Standard: true}, {Path: "io", Standard: true},
	{Path: "compress/flate", Standard: true},
	{Path: "net", Standard: true}, {Path: "net/http", Standard: true}, {Path: "os", Standard: true}, {Path: "os/exec", Standard: true},
	{Path: "fmt", Standard: true, Imports: []string{"os"}},
}

func own(path string, imports ...string) Package {
	return Package{Path: Module + "/" + path, Imports: imports}
}

func TestSourceFinds(t *testing.T) {
	for _, test := range []struct {
		name, pkg, source string
		want              int
	}{
		{"configures a device", "probe/device", `package p; func f(c client) { c.ConfigureDevice("wg0", config) }`, 1},
		{"adds a route", "probe/host", `package p; import "github.com/vishvananda/netlink"; func f() { netlink.RouteAdd(nil) }`, 1},
		{"by a handle", "probe/host", `package p; func f(h handle) { h.LinkSetUp(nil); h.AddrReplace(nil); h.RuleDel(nil) }`, 3},
		{"a trial makes and removes a link", "probe/trial", `package p; import "github.com/vishvananda/netlink"; func f() { netlink.LinkAdd(nil); netlink.LinkDel(nil) }`, 0},
		{"a trial configures it", "probe/trial", `package p; import "github.com/vishvananda/netlink"; func f() { netlink.LinkSetUp(nil); netlink.AddrAdd(nil, nil); netlink.LinkModify(nil) }`, 3},
		{"makes a link elsewhere", "probe/host", `package p; import "github.com/vishvananda/netlink"; func f() { netlink.LinkAdd(nil) }`, 1},
		{"makes one by the kernel's names", "probe/trial", `package p; import "golang.org/x/sys/unix"; var x = unix.RTM_NEWLINK`, 1},
		{"lists routes", "probe/host", `package p; import "github.com/vishvananda/netlink"; func f() { netlink.RouteListFiltered(0, nil, 0); netlink.LinkByName("") }`, 0},
		{"adds a firewall rule", "probe/filter", `package p; import "golang.org/x/sys/unix"; var x = unix.NFT_MSG_NEWRULE`, 1},
		{"lists firewall rules", "probe/filter", `package p; import "golang.org/x/sys/unix"; var x = unix.NFT_MSG_GETRULE`, 0},
		{"hears of firewall rules", "probe/filter", `package p; import "github.com/kubectl-wg/kubectl-wg/probe/kernel"; var x = kernel.NFTNewRule`, 0},
		{"the same elsewhere", "probe/host", `package p; import "github.com/kubectl-wg/kubectl-wg/probe/kernel"; var x = kernel.NFTNewRule`, 1},
		{"adds a rule to something else", "plugin/check", `package p; func f(c book) { c.AddRule(nil) }`, 0},
		{"writes a file", "probe/host", `package p; import "os"; func f() { os.WriteFile("/proc/sys/x", nil, 0) }`, 1},
		{"writes a file on the desktop", "plugin/command", `package p; import "os"; func f() { os.WriteFile("x", nil, 0) }`, 0},
		{"opens a packet socket", "probe/canary", `package p; import "golang.org/x/sys/unix"; var x = unix.AF_PACKET`, 1},
		{"opens a packet socket where it may", "probe/capture", `package p; import "golang.org/x/sys/unix"; var x = unix.AF_PACKET`, 0},
		{"reads the clock", "plugin/report", `package p; import "time"; var x = time.Now()`, 1},
		{"reads the clock by another name", "plugin/verdict", `package p; import clock "time"; var x = clock.Now`, 1},
		{"reads the clock where it may", "plugin/run", `package p; import "time"; var x = time.Now()`, 0},
		{"loads a module", "probe/host", `package p; import "golang.org/x/sys/unix"; func f() { unix.FinitModule(0, "", 0) }`, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := Source("x.go", test.pkg, test.source)
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != test.want {
				t.Errorf("found %q, want %d lines", found, test.want)
			}
		})
	}
}
