package policy

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// judged returns the judgement of a recording of package check.
func judged(t *testing.T, name string) *check.Judgement {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "check", "testdata", "v1", name+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	read, err := recording.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return check.Judge(read)
}

// accept judges by a policy of this text after its head, and has the result follow it.
func accept(t *testing.T, j *check.Judgement, body string) *verdict.Acceptance {
	t.Helper()
	p, err := Parse([]byte("apiVersion: " + APIVersion + "\nkind: Policy\nname: test\n" + body))
	if err != nil {
		t.Fatal(err)
	}
	j.Acceptance = p.Judge(j)
	return j.Acceptance
}

// waiver is one for a code or a requirement, valid until the end of a day.
func waiver(what, name, expires string) string {
	return "waivers:\n- {" + what + ": " + name + ", reason: known, owner: jane, expires: " + expires + "}\n"
}

// withNode judges a recording with one more node in it.
func withNode(t *testing.T, name string, extra evidence.Node) *check.Judgement {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "check", "testdata", "v1", name+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	read, err := recording.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return check.Judge(&with{read, &evidence.Message{Stream: evidence.PluginStream, Node: &extra}})
}

// with is a recording whose plugin says one thing more.
type with struct {
	*recording.Recording
	more *evidence.Message
}

// Messages returns those of the recording, and the one more.
func (w *with) Messages(stream string) []*evidence.Message {
	messages := w.Recording.Messages(stream)
	if stream == evidence.PluginStream {
		return slices.Insert(slices.Clone(messages), 1, w.more)
	}
	return messages
}

func TestRequirements(t *testing.T) {
	for name, test := range map[string]struct {
		recording, body string
		exit            int
		unmet           string // of the first that is not met
	}{
		"nothing":                   {"host-healthy-wireguard", "", 0, ""},
		"family":                    {"host-healthy-wireguard", "require: {families: [4]}", 0, ""},
		"family not tested":         {"host-healthy-wireguard", "require: {families: [4, 6]}", 3, "IPv6 was not tested"},
		"both families":             {"host-healthy-dual", "require: {families: [4, 6]}", 0, ""},
		"all nodes":                 {"host-healthy-three", "require: {nodes: [{name: s, all: true}]}", 0, ""},
		"named":                     {"host-healthy-three", "require: {nodes: [{name: s, names: [node-1, node-2]}]}", 0, ""},
		"unknown name":              {"host-healthy-three", "require: {nodes: [{name: s, names: [node-1, x]}]}", 3, "x of the set s is not a node"},
		"left out":                  {"host-healthy-two-of-three", "require: {nodes: [{name: s, all: true}]}", 3, "was not tested: not selected"},
		"one node":                  {"host-healthy-three", "require: {nodes: [{name: s, names: [node-1]}]}", 3, "fewer than two nodes"},
		"labels not recorded":       {"host-healthy-three", "require: {nodes: [{name: s, selector: a=b}]}", 3, "does not hold the label a"},
		"kernel's, and userspace":   {"host-healthy-wireguard", "require: {kernelImplementation: true}", 1, "is userspace WireGuard"},
		"preshared keys":            {"host-healthy-psk", "require: {presharedKeys: true}", 0, ""},
		"no preshared keys":         {"host-healthy-wireguard", "require: {presharedKeys: true}", 1, "has no preshared key"},
		"old kernel":                {"host-healthy-wireguard", "require: {minimumKernel: \"99.1\"}", 1, "at least 99.1 is required"},
		"kernel":                    {"host-healthy-wireguard", "require: {minimumKernel: \"4.9\"}", 0, ""},
		"handshakes":                {"host-healthy-wireguard", "require: {maximumHandshakeAge: 1h}", 0, ""},
		"old handshakes":            {"host-healthy-wireguard", "require: {maximumHandshakeAge: 1ns}", 1, "before the end of the run"},
		"an outage is not accepted": {"host-three-udp-blocked", "", 1, ""},
		"nor what is not proven":    {"host-node-not-ready", "", 3, ""},
		"warnings":                  {"host-healthy-three", "warnings: {fail: [all]}", 1, ""},
		"a warning it does not have": {"host-healthy-three", "warnings: {fail: [WG0302]}", 0,
			""},
	} {
		t.Run(name, func(t *testing.T) {
			j := judged(t, test.recording)
			before := j.Verdict
			a := accept(t, j, test.body)
			if code, _ := j.Exit(false); code != test.exit {
				t.Errorf("exit code %d, want %d: %+v", code, test.exit, a)
			}
			if test.unmet != "" && (len(a.Unmet) == 0 || !strings.Contains(a.Unmet[0].Text, test.unmet)) {
				t.Errorf("not met: %+v, want %q", a.Unmet, test.unmet)
			}
			if j.Verdict != before || a.Accepted() != (test.exit == 0) {
				t.Errorf("verdict %s, accepted %t", j.Verdict, a.Accepted())
			}
		})
	}
}

func TestWaivers(t *testing.T) {
	const later, earlier = "2030-01-01", "2020-01-01"
	for name, test := range map[string]struct {
		recording, body string
		exit            int
		waived, void    int
	}{
		"what failed":         {"host-three-udp-blocked", waiver("code", "WG0501", later), 0, 1, 0},
		"until yesterday":     {"host-three-udp-blocked", waiver("code", "WG0501", earlier), 1, 0, 1},
		"another code":        {"host-three-udp-blocked", waiver("code", "WG0302", later), 1, 0, 1},
		"not needed":          {"host-healthy-wireguard", waiver("code", "WG0501", later), 0, 0, 1},
		"expired, not needed": {"host-healthy-wireguard", waiver("code", "WG0501", earlier), 1, 0, 1},
		"no direction tested": {"host-node-not-ready", waiver("code", "WG0102", later), 3, 1, 0},
		"requirement": {"host-healthy-wireguard",
			"require: {presharedKeys: true}\n" + waiver("requirement", "presharedKeys", later), 0, 1, 0},
		"one direction of two": {"host-healthy-wireguard", "require: {presharedKeys: true}\n" +
			waiver("node: node-1, peer: node-2, requirement", "presharedKeys", later), 1, 1, 0},
		"a leak":          {"host-stale-flannel-route", waiver("code", "WG0401", later), 1, 0, 1},
		"the leak itself": {"host-vxlan", waiver("code", "WG0601", later), 1, 0, 1},
		"beside a leak":   {"host-vxlan", waiver("code", "WG0101", later), 1, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			j := judged(t, test.recording)
			before := j.Verdict
			a := accept(t, j, test.body)
			code, _ := j.Exit(false)
			if code != test.exit || len(a.Waived) != test.waived || len(a.Void) != test.void || j.Verdict != before {
				t.Errorf("exit code %d, want %d; %s; %+v", code, test.exit, j.Verdict, a)
			}
		})
	}
}

// A node that did not take part is excused by name, and no other with it.
func TestWaivedNode(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		exit int
	}{
		"no waiver":         {"", 3},
		"that node":         {waiver("node: extra, code", "WG0102", "2030-01-01"), 0},
		"all nodes":         {waiver("code", "WG0102", "2030-01-01"), 0},
		"another node":      {waiver("node: node-1, code", "WG0102", "2030-01-01"), 3},
		"required of a set": {"require: {nodes: [{name: s, all: true}]}\n" + waiver("code", "WG0102", "2030-01-01"), 3},
	} {
		j := withNode(t, "host-healthy-three", evidence.Node{Index: -1, Name: "extra", Excluded: "it is not Ready"})
		a := accept(t, j, test.body)
		if code, _ := j.Exit(false); code != test.exit {
			t.Errorf("%s: exit code %d, want %d: %+v", name, code, test.exit, a)
		}
	}
}

// Selectors read what the recording holds of labels.
func TestSelector(t *testing.T) {
	const body = "require: {nodes: [{name: s, selector: 'zone=a'}]}"
	j := judged(t, "host-healthy-three")
	j.Graph.Cluster.NodeLabels = []string{"zone"}
	if a := accept(t, j, body); len(a.Unmet) != 1 || !strings.Contains(a.Unmet[0].Text, "fewer than two") {
		t.Errorf("no node has the label: %+v", a)
	}
	for _, n := range j.Graph.Nodes {
		n.Labels = map[string]string{"zone": "a"}
	}
	if a := accept(t, j, body); !a.Accepted() {
		t.Errorf("%+v", a)
	}
}

// Law: no waiver of any code has a leak accepted, of any recording in which one was seen.
func TestNoPolicyAcceptsALeak(t *testing.T) {
	var all strings.Builder
	all.WriteString("waivers:\n")
	for _, c := range check.Checks() {
		all.WriteString("- {code: " + c.Code + ", reason: r, owner: o, expires: 2100-01-01}\n")
	}
	files, err := filepath.Glob(filepath.Join("..", "check", "testdata", "v1", "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	leaks := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".ndjson")
		j := judged(t, name)
		if !slices.ContainsFunc(j.Findings, inClear) {
			continue
		}
		leaks++
		a := accept(t, j, all.String())
		if code, _ := j.Exit(false); code != 1 || a.Status != verdict.Fail || j.Verdict != verdict.Failed {
			t.Errorf("%s: exit code %d, %+v", name, code, a)
		}
	}
	if leaks < 20 {
		t.Errorf("only %d of %d recordings have a leak", leaks, len(files))
	}
}

// inClear reports whether a finding is one of packets in clear, or of a way on which
// they certainly leave so: by its code, whatever kind it has.
func inClear(f verdict.Finding) bool {
	return f.Status == verdict.Fail && slices.Contains([]string{"WG0402", "WG0601", "WG0608", "WG0609", "WG0621"}, f.Code)
}

// Of a run of many pairs not all is listed. What is not listed is excused by a
// waiver for all only.
func TestUnlistedFindings(t *testing.T) {
	many := func() *check.Judgement {
		m := mesh.New(20)
		m.About.Started, m.About.Ended = 1, 2
		for i := range 19 {
			for k := range 19 {
				if i != k {
					m.MissingPeer(i, k)
				}
			}
		}
		return check.Judge(m)
	}
	j := many()
	a := accept(t, j, waiver("node: node-0001, code", "WG0302", "2030-01-01"))
	if code, _ := j.Exit(false); code != 1 {
		t.Errorf("a waiver for one node: exit code %d, %+v", code, a)
	}
	j = many()
	a = accept(t, j, waiver("code", "WG0302", "2030-01-01"))
	total := j.Totals.Of("WG0302").Causes[verdict.Fail]
	if code, _ := j.Exit(false); code != 0 || a.Excused() != total || len(a.Waived[0].Subjects) > maxSubjects {
		t.Errorf("a waiver for all: exit code %d, %d of %d, %+v", code, a.Excused(), total, a.Unmet)
	}
}

// A result is the same whenever and however often it is judged.
func TestDeterministic(t *testing.T) {
	const body = "require: {presharedKeys: true, kernelImplementation: true}\nwarnings: {fail: [all]}\n"
	first := accept(t, judged(t, "host-three-udp-blocked"), body)
	second := accept(t, judged(t, "host-three-udp-blocked"), body)
	if !reflect.DeepEqual(first, second) {
		t.Errorf("%+v\n%+v", first, second)
	}
	if !slices.ContainsFunc(first.Unmet, func(u verdict.Unmet) bool { return u.Requirement == theVerdict && u.Code == "WG0501" }) {
		t.Errorf("%+v", first.Unmet)
	}
}
