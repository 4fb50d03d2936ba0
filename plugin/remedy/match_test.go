package remedy

import (
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// title returns the title of a code's first remedy for a variant and distribution.
func title(t *testing.T, code, variant, distribution string) string {
	t.Helper()
	for _, entry := range Of(code) {
		if entry.Variant == variant && entry.Distribution == distribution {
			return entry.Hint.Title
		}
	}
	t.Fatalf("%s has no remedy for variant %q on distribution %q", code, variant, distribution)
	return ""
}

// The remedy of the variant on this distribution is better than that of the
// variant anywhere, which is better than that of any variant on this
// distribution, and that is better than the general one.
func TestMostSpecificRemedy(t *testing.T) {
	facts := map[string]string{"node": "node-1", "peer": "node-2", "device": "wg0", "port": "51820", "ip": "4",
		"range": "10.42.1.0/24", "route": "10.42.1.0/24", "link": "eth1"}
	for _, test := range []struct {
		code, variant, distribution string
		wantVariant, wantOn         string
	}{
		{"WG0101", "mixed", K3s, "mixed", K3s},
		{"WG0101", "mixed", "", "mixed", ""},
		{"WG0101", "mixed", "other", "mixed", ""},
		{"WG0101", "mixed", Flannel, "mixed", Flannel},
		{"WG0104", "unlike", K3s, "unlike", K3s},
		{"WG0104", "another", K3s, "", K3s},
		{"WG0306", "announced", K3s, "announced", ""},
		{"WG0306", "another", K3s, "", K3s},
		{"WG0306", "another", RKE2, "", RKE2},
		{"WG0306", "another", Flannel, "", Flannel},
		{"WG0303", "", "other", "", ""},
		{"WG0501", "clock", RKE2, "clock", RKE2},
		{"WG0501", "clock", Flannel, "clock", Flannel},
		{"WG0501", "handshake", RKE2, "handshake", RKE2},
		{"WG0501", "handshake", Calico, "handshake", ""},
		{"WG0601", "vxlan", K3s, "vxlan", K3s},
		{"WG0601", "vxlan", RKE2, "vxlan", RKE2},
		{"WG0601", "bare", Flannel, "bare", Flannel},
		{"WG0601", "geneve", K3s, "", ""},
		{"WG0601", "vxlan", "other", "", ""},
		{"WG0401", "none", K3s, "none", K3s}, // two general ones stand before it
		{"WG0401", "none", RKE2, "none", RKE2},
		{"WG0401", "none", Flannel, "none", Flannel},
		{"WG0401", "none", "", "none", ""},
	} {
		hint, ok := For(verdict.Finding{Code: test.code, Variant: test.variant, Facts: facts}, test.distribution)
		want, _ := fill(Hint{Title: title(t, test.code, test.wantVariant, test.wantOn)}, facts)
		if !ok || hint.Title != want.Title {
			t.Errorf("%s, %s on %q: %q, want %q", test.code, test.variant, test.distribution, hint.Title, want.Title)
		}
	}
}

// A remedy that names what a finding does not have is of no use: the next best
// one is taken, and if there is none, none.
func TestRemedyNeedsItsFacts(t *testing.T) {
	whole := map[string]string{"node": "node-1", "peer": "node-2", "mtu": "1370", "underlay": "1450"}
	for _, test := range []struct {
		name  string
		facts map[string]string
		want  string
	}{
		{"all facts", whole, "Lower the tunnel's MTU to 1370"},
		{"a fact missing in the note", map[string]string{"node": "node-1", "peer": "node-2", "mtu": "1370"},
			"Lower the tunnel's MTU"},
		{"no facts", nil, "Lower the tunnel's MTU"},
	} {
		hint, ok := For(verdict.Finding{Code: "WG0503", Variant: "fits", Facts: test.facts}, "")
		if !ok || hint.Title != test.want {
			t.Errorf("%s: %v %q, want %q", test.name, ok, hint.Title, test.want)
		}
	}
	if hint, ok := For(verdict.Finding{Code: "WG0105"}, ""); ok {
		t.Errorf("without a node: %+v", hint)
	}
	// Of two that fit equally the first that is complete is taken.
	routes := map[string]string{"node": "node-1", "ip": "4", "route": "10.42.0.0/16", "link": "eth1"}
	hint, ok := For(verdict.Finding{Code: "WG0401", Variant: "other", Facts: routes}, "")
	if want := "ip -4 route delete 10.42.0.0/16 dev eth1"; !ok || hint.Steps[0].Command != want {
		t.Errorf("%v %+v, want %q", ok, hint, want)
	}
	routes["range"] = "10.42.1.0/24"
	hint, ok = For(verdict.Finding{Code: "WG0401", Variant: "other", Facts: routes}, "")
	if want := "ip -4 route flush root 10.42.1.0/24 dev eth1"; !ok || hint.Steps[0].Command != want {
		t.Errorf("%v %+v, want %q", ok, hint, want)
	}
}

// Findings that share a cause are fixed together: on each node once, in the
// order in which they were found.
func TestRemedyForSeveral(t *testing.T) {
	on := func(node string) verdict.Finding {
		facts := map[string]string{"link": "flannel.1"}
		if node != "" {
			facts["node"] = node
		}
		return verdict.Finding{Code: "WG0401", Variant: "vxlan", Facts: facts}
	}
	unknown := verdict.Finding{Code: "WG9999"}
	for _, test := range []struct {
		name     string
		findings []verdict.Finding
		nodes    []string // none if there is no remedy
	}{
		{"none", nil, nil},
		{"one without a remedy", []verdict.Finding{unknown}, nil},
		{"one", []verdict.Finding{on("node-1")}, []string{"node-1"}},
		{"two nodes", []verdict.Finding{on("node-2"), on("node-1")}, []string{"node-2", "node-1"}},
		{"a node twice", []verdict.Finding{on("node-1"), on("node-2"), on("node-1")}, []string{"node-1", "node-2"}},
		{"one without a remedy among them", []verdict.Finding{unknown, on("node-1"), unknown, on("node-2")},
			[]string{"node-1", "node-2"}},
		{"one that lacks a fact", []verdict.Finding{on("node-1"), on("")}, []string{"node-1"}},
	} {
		hint, ok := ForAll(test.findings, K3s)
		var nodes []string
		for _, step := range hint.Steps {
			nodes = append(nodes, step.On)
		}
		if ok != (test.nodes != nil) || !slices.Equal(nodes, test.nodes) {
			t.Errorf("%s: %v %q, want %q", test.name, ok, nodes, test.nodes)
		}
	}
}

// What explain prints of a code are its remedies and no other's, in the order
// of the table and with their names unfilled.
func TestRemediesOfACode(t *testing.T) {
	entries := Of("WG0301")
	var variants []string
	for _, entry := range entries {
		variants = append(variants, entry.Variant+"/"+entry.Distribution)
	}
	if want := []string{"/k3s", "/rke2", "/flannel", "/calico", "/cilium"}; !slices.Equal(variants, want) {
		t.Errorf("%q, want %q", variants, want)
	}
	if len(entries) > 0 && entries[0].Hint.Steps[0].On != "{node}" {
		t.Errorf("%+v", entries[0].Hint)
	}
	if none := Of("WG9999"); len(none) != 0 {
		t.Errorf("%+v", none)
	}
}
