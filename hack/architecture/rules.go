package architecture

import "slices"

// Layer is a package of the product and the packages of this module that it
// may import.
type Layer struct {
	Path string
	May  []string
}

// Layers are the product's packages in the order in which they build on each
// other. A package that is not listed here does not belong: add it together
// with its place in docs/architecture.md.
var Layers = []Layer{
	{"probe/evidence", nil},
	{"probe/evidence/columns", []string{"probe/evidence"}},
	{"probe/wire", []string{"probe/evidence"}},
	{"probe/capture", []string{"probe/evidence", "probe/wire"}},
	{"probe/udp", nil},
	{"probe/canary", []string{"probe/evidence", "probe/wire", "probe/udp"}},
	{"probe/device", []string{"probe/evidence"}},
	{"probe/perf", []string{"probe/evidence", "probe/udp"}},
	{"probe/kernel", []string{"probe/evidence"}},
	{"probe/host", []string{"probe/evidence", "probe/kernel"}},
	{"probe/filter", []string{"probe/evidence", "probe/kernel"}},
	{"probe/trial", []string{"probe/evidence", "probe/kernel"}},
	{"probe/journal", nil},
	{"probe/hostlog", []string{"probe/evidence", "probe/journal"}},
	{"probe/agent", []string{"probe/evidence", "probe/evidence/columns", "probe/wire", "probe/capture", "probe/canary", "probe/device",
		"probe/host", "probe/hostlog", "probe/filter", "probe/trial", "probe/perf"}},
	{"cmd/wg-probe", []string{"probe/agent"}},

	{"manifests", nil},
	{"plugin/recording", []string{"probe/evidence"}},
	{"plugin/graph", []string{"probe/evidence", "probe/evidence/columns"}},
	{"plugin/verdict", []string{"plugin/graph"}},
	{"plugin/routing", []string{"probe/evidence"}},
	{"plugin/profile", []string{"probe/evidence", "plugin/graph"}},
	{"plugin/remedy", []string{"plugin/verdict"}},
	{"plugin/check", []string{"probe/evidence", "plugin/graph", "plugin/routing", "plugin/verdict", "plugin/profile"}},
	{"plugin/policy", []string{"probe/evidence", "plugin/graph", "plugin/verdict", "plugin/profile", "plugin/check"}},
	{"plugin/ledger", []string{"probe/evidence", "plugin/graph", "plugin/verdict", "plugin/check"}},
	{"plugin/report", []string{"probe/evidence", "probe/wire", "plugin/graph", "plugin/verdict", "plugin/profile", "plugin/remedy",
		"plugin/check"}},
	{"plugin/status", []string{"probe/evidence", "probe/evidence/columns", "plugin/graph", "plugin/verdict", "plugin/profile",
		"plugin/check", "plugin/report"}},
	{"plugin/metrics", []string{"plugin/status", "plugin/verdict"}},
	{"plugin/preflight", []string{"probe/evidence", "plugin/graph", "plugin/verdict", "plugin/profile", "plugin/remedy", "plugin/check",
		"plugin/report"}},
	{"plugin/pcap", []string{"probe/evidence"}},
	{"plugin/compare", []string{"plugin/verdict", "plugin/report"}},
	{"plugin/logs", nil},
	{"plugin/perf", []string{"probe/evidence", "plugin/graph", "plugin/profile", "plugin/verdict", "plugin/report"}},
	{"plugin/cluster", []string{"probe/evidence", "manifests"}},
	// wire.Run is the only form of a run's mark and key, and plugin/run draws them.
	{"plugin/run", []string{"probe/evidence", "probe/wire", "manifests", "plugin/recording", "plugin/graph", "plugin/verdict",
		"plugin/profile", "plugin/check", "plugin/cluster", "plugin/perf"}},
	{"plugin/command", []string{"probe/evidence", "manifests", "plugin/recording", "plugin/graph", "plugin/verdict", "plugin/profile",
		"plugin/remedy", "plugin/check", "plugin/report", "plugin/status", "plugin/metrics", "plugin/preflight",
		"plugin/pcap", "plugin/compare", "plugin/logs", "plugin/perf", "plugin/policy", "plugin/ledger",
		"plugin/cluster", "plugin/run"}},
	{"cmd/kubectl-wg", []string{"plugin/command"}},
}

// pure packages decide and render, and touch nothing: no network, no file, no
// clock. The same recording gives the same result everywhere and at any time.
var pure = []string{
	"probe/evidence", "probe/evidence/columns", "probe/wire",
	"plugin/recording", "plugin/graph", "plugin/routing", "plugin/verdict", "plugin/profile", "plugin/check", "plugin/remedy",
	"plugin/report", "plugin/status", "plugin/preflight", "plugin/pcap", "plugin/compare", "plugin/logs", "plugin/perf",
	"plugin/policy", "plugin/ledger",
}

// Ban forbids imports to packages.
type Ban struct {
	What    []string // trees of import paths, e.g. "k8s.io" for all below it
	Unless  []string // of these, what may be imported after all
	Where   []string // trees of packages that must not
	But     []string // packages below Where that may
	Through bool     // the ban holds through other packages as well
	Why     string
}

var bans = []Ban{
	{
		What: []string{"k8s.io", "sigs.k8s.io"}, Where: []string{"probe", "cmd/wg-probe"}, Through: true,
		Why: "the probe knows nothing of Kubernetes and needs no token for its API",
	}, {
		What: []string{Module + "/probe"}, Unless: []string{Module + "/probe/evidence", Module + "/probe/wire"},
		Where: []string{"plugin", "manifests", "cmd/kubectl-wg"}, Through: true,
		Why: "the plugin builds on every desktop; it and the probe share the evidence contract and nothing else",
	}, {
		What: []string{"golang.zx2c4.com"}, Where: []string{"plugin", "cmd", "probe", "manifests"}, But: []string{"probe/device"},
		Why: "only probe/device reads WireGuard devices, and drops key material at the door",
	}, {
		What:  []string{"github.com/google/gopacket/afpacket", "github.com/google/gopacket/pcap", "github.com/mdlayher/packet"},
		Where: []string{"probe", "plugin", "cmd"},
		Why:   "the only packet socket is probe/capture's own",
	}, {
		What:  []string{"github.com/google/nftables"},
		Where: []string{"probe", "plugin", "cmd"},
		Why:   "it leaves out expressions that it does not know; probe/filter reads nf_tables itself, and cannot write to it",
	}, {
		What: []string{"k8s.io/client-go"}, Unless: []string{"k8s.io/client-go/plugin/pkg/client/auth"},
		Where: []string{"plugin", "manifests", "cmd"}, But: []string{"plugin/cluster"},
		Why: "only plugin/cluster speaks to the API server",
	}, {
		What: []string{"k8s.io/client-go"}, Where: pure, Through: true,
		Why: "a pure package must not be able to reach a cluster",
	}, {
		What: []string{"os", "net"}, Unless: []string{"net/netip"}, Where: pure,
		Why: "a pure package touches neither files, processes nor the network",
	}, {
		What: []string{"os/exec"}, Where: []string{"probe", "cmd/wg-probe"},
		Why: "the probe's image holds no other program, and the probe runs none",
	}, {
		What: []string{"C"}, Where: []string{"cmd", "probe", "plugin", "manifests"},
		Why: "static binaries for every architecture: no cgo",
	},
}

func (b Ban) holdsFor(path string) bool {
	return anyWithin(path, b.Where) && !slices.Contains(b.But, path)
}

func (b Ban) forbids(path string) bool { return anyWithin(path, b.What) && !anyWithin(path, b.Unless) }

func anyWithin(path string, trees []string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool { return within(path, tree) })
}
