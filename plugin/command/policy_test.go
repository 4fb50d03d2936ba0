package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-wg/kubectl-wg/plugin/policy"
)

// A policy decides the exit code of a replay, the same in every format, and what it
// waives stands in each of them.
func TestReplayByPolicy(t *testing.T) {
	const head = "apiVersion: policy.kubectl-wg.io/v1\nkind: Policy\nname: test\n"
	const waiver = head + "waivers: [{code: WG0501, reason: known, owner: jane, expires: 2030-01-01}]\n"
	for name, test := range map[string]struct {
		recording, policy string
		code              int
		mention           string
	}{
		"waived":         {"host-three-udp-blocked", waiver, 0, "waived"},
		"leak":           {"host-vxlan", strings.Replace(waiver, "WG0501", "WG0601", 1), 1, "no policy accepts that"},
		"not met":        {"host-healthy-wireguard", head + "require: {presharedKeys: true}", 1, "not accepted"},
		"not known":      {"host-healthy-wireguard", head + "require: {families: [6]}", 3, "not known to be accepted"},
		"met":            {"host-healthy-wireguard", head, 0, "accepted"},
		"waiver is over": {"host-three-udp-blocked", strings.Replace(waiver, "2030", "2020", 1), 1, "not accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "policy.yaml")
			if err := os.WriteFile(file, []byte(test.policy), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, format := range []string{"text", "json", "yaml"} {
				code, stdout, stderr := main(t, "replay", "-o", format, "--policy", file, recordings+test.recording+".ndjson")
				text := strings.Join(strings.Fields(stdout), " ")
				if code != test.code || !strings.Contains(text, test.mention) {
					t.Errorf("%s: exit code %d, want %d with %q\n%s%s", format, code, test.code, test.mention, stdout, stderr)
				}
			}
			_, stdout, _ := main(t, "replay", "-o", "json", "--policy", file, recordings+test.recording+".ndjson")
			var document struct {
				ExitCode int
				Policy   struct{ Name, SHA256 string }
			}
			if err := json.Unmarshal([]byte(stdout), &document); err != nil {
				t.Fatal(err)
			}
			if document.ExitCode != test.code || document.Policy.Name != "test" || len(document.Policy.SHA256) != 64 {
				t.Errorf("%+v", document)
			}
		})
	}
}

// A survey alone makes a policy that is valid, and creates nothing.
func TestPolicyOfASurvey(t *testing.T) {
	tr := newTrial(t)
	tr.root.config = genericclioptions.NewConfigFlags(true)
	j, err := tr.root.surveyed(t.Context(), tr.client(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := policy.Parse(policy.Propose(j)); err != nil {
		t.Error(err)
	}
	if len(j.Graph.Nodes) != 2 || len(j.Graph.Cluster.NodeLabels) == 0 {
		t.Errorf("%d nodes, labels %v", len(j.Graph.Nodes), j.Graph.Cluster.NodeLabels)
	}
	for _, action := range tr.api.Actions() {
		who := action.GetResource().Resource == "selfsubjectreviews" // who asks, which is created nowhere
		if action.GetVerb() != "list" && action.GetVerb() != "get" && !who {
			t.Errorf("%s %s", action.GetVerb(), action.GetResource().Resource)
		}
	}
}
