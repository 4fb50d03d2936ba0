package check

import (
	"encoding/json"
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
const bothNamed = 53

// TestPairsOfFaults judges recordings of two sabotages at once, testdata/pairs/A+B:
// each is a root cause of its own.
func TestPairsOfFaults(t *testing.T) {
	runs := pairsOf(t)
	named := 0
	for _, r := range runs {
		first, second, _ := strings.Cut(r.name, "+")
		want := []string{causeOf(t, first), causeOf(t, second)}
		roots := rootsOf(t, r.recording)
		if slices.Contains(roots, want[0]) && slices.Contains(roots, want[1]) {
			named++
			continue
		}
		t.Logf("%s: the root causes are %v, want %v", r.name, roots, want)
	}
	t.Logf("both causes of %d of %d pairs are named", named, len(runs))
	if named < bothNamed {
		t.Errorf("both causes of %d of %d pairs are named, want %d", named, len(runs), bothNamed)
	}
}

// pairsOf reads the recordings of two faults.
func pairsOf(t *testing.T) (runs []run) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "pairs", "*.ndjson"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".ndjson")
		runs = append(runs, run{name: name, recording: load(t, "../pairs/"+name)})
	}
	return runs
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
func rootsOf(t *testing.T, recorded *recording.Recording) (codes []string) {
	t.Helper()
	for _, f := range Judge(recorded).Findings {
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

// A control that was lost is told beside a leak, but not if a NAT may be in front of the
// receiver: that can let in the tunnel and no control.
func TestLostBesideALeak(t *testing.T) {
	j := Judge(load(t, "../pairs/stale-host-gw-route+network-one-way"))
	e := j.Graph.Edge(j.Graph.Node("node-1"), j.Graph.Node("node-2"), 4)
	if !lostAlso(e) {
		t.Error("the lost control is not told")
	}
	e.To.Addresses = nil
	if lostAlso(e) {
		t.Error("it is told of a receiver that does not have the address")
	}
}
