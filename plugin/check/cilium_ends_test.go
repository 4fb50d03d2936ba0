package check

import (
	"maps"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// switchedOff takes the option from the agents' ConfigMap, as before their restart.
func switchedOff(s map[string][]evidence.Message) {
	each(s[evidence.PluginStream], func(m *evidence.Message) {
		if m.Cluster == nil {
			return
		}
		c := *m.Cluster
		c.Objects = maps.Clone(c.Objects)
		config := maps.Clone(c.Objects["ConfigMap/kube-system/cilium-config"])
		config["enable-wireguard"] = "false"
		c.Objects["ConfigMap/kube-system/cilium-config"] = config
		m.Cluster = &c
	})
}

// The agents go on with the configuration that they started with: what leaves is
// encrypted, as a warning says until when, and what would lead packets past their
// programs still counts.
func TestCiliumSwitchedOffBeforeTheRestart(t *testing.T) {
	for _, name := range []string{"host-cilium-encrypted", "host-cilium-tunnel"} {
		s := streamsOf(t, name)
		switchedOff(s)
		j := Judge(record(t, s))
		var found *verdict.Finding
		for i := range j.Findings {
			if j.Findings[i].Code == "WG0101" {
				found = &j.Findings[i]
			}
		}
		if j.Verdict != verdict.Passed || found == nil || found.Status != verdict.Warn || found.Variant != "ends" {
			t.Errorf("%s: %s, %+v", name, j.Verdict, found)
		}
		s["probe/node-1"] = append(s["probe/node-1"], markedBy("prerouting", database, 0xe00, 0xffffffff))
		if j := Judge(record(t, s)); name == "host-cilium-encrypted" && j.Verdict == verdict.Passed {
			t.Errorf("%s: a mark that Cilium's programs go by passes", name)
		}
	}
}
