package check

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
)

// faults are the lab's sabotages by the code of the cause that each has.
var faults = map[string][]string{
	"WG0101": {"mixed-backends"},
	"WG0106": {"one-endpoint"},
	"WG0201": {"device-deleted", "device-down", "port-taken"},
	"WG0202": {"device-hangs"},
	"WG0301": {"published-key"},
	"WG0302": {"missing-peer", "stale-key"},
	"WG0303": {"shared-key"},
	"WG0304": {"allowed-gap", "allowed-part"},
	"WG0306": {"endpoint-address", "endpoint-port"},
	"WG0401": {
		"leak-by-25", "leak-by-28", "route-blackhole", "route-missing", "route-unreachable", "rule-bypass",
		"stale-flannel-route", "stale-host-gw-route", "stale-route-one-way",
	},
	"WG0501": {
		"network-both-ways", "network-one-way", "psk-one-side", "udp-blocked", "udp-blocked-iptables",
		"udp-blocked-output", "udp-blocked-policy", "udp-blocked-prerouting", "udp-blocked-raw", "udp-blocked-reject",
	},
	"WG0502": {"forward-drop", "forward-policy", "no-forwarding"},
	"WG0503": {"network-mtu"},
	"WG0504": {"link-mtu"},
}

// bothNamed is of how many recorded pairs both causes are named at least.
const bothNamed = 10

// TestPairsOfFaults judges recordings of two sabotages at once, testdata/pairs/A+B:
// each is a root cause of its own.
func TestPairsOfFaults(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "pairs", "*.ndjson"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	named := 0
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".ndjson")
		first, second, _ := strings.Cut(name, "+")
		want := []string{causeOf(t, first), causeOf(t, second)}
		roots := rootsOf(t, path)
		if slices.Contains(roots, want[0]) && slices.Contains(roots, want[1]) {
			named++
			continue
		}
		t.Logf("%s: the root causes are %v, want %v", name, roots, want)
	}
	t.Logf("both causes of %d of %d pairs are named", named, len(files))
	if named < bothNamed {
		t.Errorf("both causes of %d of %d pairs are named, want %d", named, len(files), bothNamed)
	}
}

func causeOf(t *testing.T, fault string) string {
	t.Helper()
	for code, names := range faults {
		if slices.Contains(names, fault) {
			return code
		}
	}
	t.Errorf("the fault %q is not known", fault)
	return ""
}

// rootsOf returns the codes of what is wrong in a recording, or not proven, and
// nothing explains.
func rootsOf(t *testing.T, path string) (codes []string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	read, err := recording.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range Judge(read).Findings {
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var finding struct {
			Code, Status string
			CausedBy     json.RawMessage
		}
		if err := json.Unmarshal(text, &finding); err != nil {
			t.Fatal(err)
		}
		wrong := finding.Status == "fail" || finding.Status == "inconclusive"
		if wrong && finding.CausedBy == nil && !slices.Contains(codes, f.Code) {
			codes = append(codes, f.Code)
		}
	}
	return codes
}
