package remedy

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Whatever has a remedy on K3s has one wherever Flannel runs, but for what only K3s does.
func TestFlannelIsMendedHoweverItIsRun(t *testing.T) {
	only := []string{"WG0104", "WG0105"} // K3s publishes the arguments that it was started with
	variants := []string{
		"WG0101 tun",         // --vpn-auth
		"WG0102 notready",    // an agent's configuration
		"WG0102 old",         // the same
		"WG0306 external",    // --flannel-external-ip
		"WG0103 unreachable", // its tunnel from agents to servers
	}
	for _, r := range table {
		if r.distribution != K3s || slices.Contains(only, r.code) || slices.Contains(variants, r.code+" "+r.variant) {
			continue
		}
		for _, system := range []string{RKE2, Flannel} {
			if !slices.ContainsFunc(table, func(other row) bool {
				return other.code == r.code && other.variant == r.variant && other.distribution == system
			}) {
				t.Errorf("%s %q has a remedy on K3s and none on %s", r.code, r.variant, system)
			}
		}
	}
}

// A remedy for any system names none, and one for a system names no service of another.
func TestRemediesNameTheirOwnSystem(t *testing.T) {
	others := map[string][]string{
		"": {"flannel", "k3s", "rke2", "canal", "calico", "cilium", "tailscale", "felix", "kilo.", "antrea", "kubespan",
			"talos"},
		K3s:      {"rke2", "canal", "kube-flannel", "calico", "cilium"},
		RKE2:     {"k3s", "kube-flannel-ds", "calico", "cilium"},
		Flannel:  {"k3s", "rke2", "canal", "calico", "cilium"},
		Calico:   {"flannel", "k3s", "rke2", "canal", "cilium"},
		Cilium:   {"flannel", "k3s", "rke2", "canal", "calico"},
		Kilo:     {"flannel", "k3s", "rke2", "canal", "calico", "cilium", "antrea", "talos"},
		Antrea:   {"flannel", "k3s", "rke2", "canal", "calico", "cilium", "kilo", "talos"},
		KubeSpan: {"flannel", "k3s", "rke2", "canal", "calico", "cilium", "kilo", "antrea", "systemctl", "reboot"},
	}
	for _, r := range table {
		texts := []string{r.hint.Title, r.hint.Disruption, r.hint.Note}
		for _, step := range r.hint.Steps {
			texts = append(texts, step.On, step.Command, step.Note)
		}
		text := strings.ToLower(strings.Join(texts, "\n"))
		if r.distribution == RKE2 {
			text = strings.ReplaceAll(text, "calico.vethumtu", "") // a value of Canal's chart
		}
		for _, name := range others[r.distribution] {
			if strings.Contains(text, name) {
				t.Errorf("%s %q on %q names %s:\n%s", r.code, r.variant, r.distribution, name, text)
			}
		}
	}
}

// Where a tunnel encrypts already nothing switches its backend, and nothing reboots.
func TestNoRebootWhereTheBackendIsRight(t *testing.T) {
	switches := []string{"WG0101", "WG0104", "WG0601"}
	for _, r := range table {
		for _, step := range r.hint.Steps {
			if strings.Contains(step.Command, "reboot") && !slices.Contains(switches, r.code) {
				t.Errorf("%s %q on %q reboots", r.code, r.variant, r.distribution)
			}
		}
	}
	for _, system := range []string{K3s, RKE2, Flannel, Calico, Cilium, Kilo, Antrea, KubeSpan, ""} {
		hint, ok := For(verdict.Finding{Code: "WG0601", Variant: "past", Facts: map[string]string{"node": "n"}}, system)
		if !ok || len(hint.Steps) > 0 || strings.Contains(hint.Title, "witch") {
			t.Errorf("on %q: %v %+v", system, ok, hint)
		}
	}
}

// Of a node whose unit is known only that is restarted, of another both are tried.
func TestUnits(t *testing.T) {
	units := map[string]string{"server": "k3s", "agent": "k3s-agent", "hostile": "x; reboot"}
	hint := Hint{Steps: []Step{
		{On: "server", Command: k3sStep.Command}, {On: "agent", Command: k3sStep.Command},
		{On: "other", Command: k3sStep.Command}, {On: "hostile", Command: k3sStep.Command},
		{On: "agent", Command: "reboot"},
	}}
	want := []string{"systemctl restart k3s", "systemctl restart k3s-agent", k3sStep.Command, k3sStep.Command, "reboot"}
	for i, step := range hint.WithUnits(func(node string) string { return units[node] }).Steps {
		if step.Command != want[i] {
			t.Errorf("on %s: %q, want %q", step.On, step.Command, want[i])
		}
	}
	if hint.Steps[0].Command != k3sStep.Command {
		t.Error("the hint itself was changed")
	}
}

// A step on the other node names it wherever the step names the node.
func TestStepOnTheOtherNode(t *testing.T) {
	facts := map[string]string{"node": "node-1", "peer": "node-2"}
	for system, want := range map[string][]string{
		K3s:     {"node-1 systemctl", "node-2 systemctl"},
		RKE2:    {"spec.nodeName=node-1", "spec.nodeName=node-2"},
		Flannel: {"spec.nodeName=node-1", "spec.nodeName=node-2"},
	} {
		hint, ok := For(verdict.Finding{Code: "WG0501", Variant: "handshake", Facts: facts}, system)
		if !ok || len(hint.Steps) != 2 {
			t.Fatalf("%s: %+v", system, hint)
		}
		for i, step := range hint.Steps {
			if !strings.Contains(step.On+" "+step.Command, want[i]) {
				t.Errorf("%s: step %d is %+v, want %q", system, i, step, want[i])
			}
		}
	}
}
