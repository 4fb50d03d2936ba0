package check

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// recorded are runs on real clusters, made by `lab run SCENARIO -- --record`,
// with what must be judged of them. testdata/v1 only grows: what any version of
// the contract wrote, every later one reads.
var recorded = func() map[string]expectation {
	all := maps.Clone(worded)
	maps.Copy(all, scenarios)
	maps.Copy(all, recordedReports)
	return all
}()

type expectation struct {
	verdict verdict.Verdict
	cause   string
	says    []string // parts of the first cause and its readings
}

// worded are those whose words matter too.
var worded = map[string]expectation{
	"host-healthy-wireguard": {verdict.Passed, "", nil},
	// The first with pods that are made while every link is watched.
	"host-healthy-first-packets": {verdict.Passed, "", nil},
	// The first with evidence in columns.
	"host-healthy-columns": {verdict.Passed, "", nil},
	"host-vxlan": {verdict.Failed, "WG0601",
		[]string{"in PLAINTEXT inside VXLAN", "eth0 tx", "udp:8472 vxlan"}},
	"host-host-gw":             {verdict.Failed, "WG0601", []string{"without encapsulation", "eth0 tx"}},
	"host-stale-flannel-route": {verdict.Failed, "WG0401", []string{"flannel.1", "/24", "instead of flannel-wg"}},
	"host-udp-blocked": {verdict.Failed, "WG0501",
		[]string{"reach eth0 of node-2, and its kernel drops them", "drops UDP port 51820"}},

	// host-healthy-paths with what came and went between its readings, or went unheard.
	"host-mutated-copy-for-a-while": {verdict.Undecided, "WG0402",
		[]string{"dup to eth0 (for a part of the run only)", "it sends copies elsewhere"}},
	"host-mutated-mark-for-a-while": {verdict.Passed, "", nil},
	"host-mutated-changes-not-heard": {verdict.Undecided, "WG0402",
		[]string{"not all changes were heard: there were more changes than could be queued"}},
	"host-mutated-into-an-ingress": {verdict.Undecided, "WG0402",
		[]string{"the ingress of cni0", "where to is not known"}},

	// Flannel's own backend on the kernel's WireGuard.
	"vm-healthy-wireguard":   {verdict.Passed, "", nil},
	"vm-stale-flannel-route": {verdict.Failed, "WG0401", []string{"flannel.1", "/24", "instead of flannel-wg"}},
	"vm-clock-set-back": {verdict.Failed, "WG0501",
		[]string{"rejects handshakes of node-1", "59m", "future of its own clock"}},
	"vm-udp-blocked": {verdict.Failed, "WG0501",
		[]string{"reach eth0 of node-2, and its kernel drops them", "drops UDP port 51820"}},

	// Where the kernel's WireGuard could answer otherwise than the userspace one of the host ground.
	"vm-healthy-one-restarted": {verdict.Passed, "", nil},
	"vm-healthy-new-key":       {verdict.Passed, "", nil},
	"vm-healthy-nat":           {verdict.Passed, "", nil},
	"vm-healthy-vpn":           {verdict.Passed, "", nil},
	"vm-healthy-dual":          {verdict.Passed, "", nil},
	"vm-shared-key":            {verdict.Failed, "WG0303", []string{"node-1 and node-2 share the key"}},
	"vm-psk-one-side": {verdict.Failed, "WG0501",
		[]string{"node-1 has a preshared key for node-2, which has none for it"}},
	"vm-port-taken": {verdict.Failed, "WG0201",
		[]string{"the UDP port 51820 of its tunnel is taken by wg7"}},
	"vm-device-down":            {verdict.Failed, "WG0201", []string{"flannel-wg of node-2 is down"}},
	"vm-v6-stale-route-one-way": {verdict.Failed, "WG0401", []string{"2001:db8:42:1::/64 via flannel-v6.1"}},
	"vm-middlebox":              {verdict.Failed, "WG0502", []string{"do not arrive at the pod on node-2"}},
	"vm-vxlan-three":            {verdict.Failed, "WG0601", []string{"in PLAINTEXT inside VXLAN"}},

	// More than pods was asked for, in a cluster where the lab does what kube-proxy would
	// for the run's Services.
	"host-scope-healthy": {verdict.Passed, "", nil},
	"host-scope-hosts":   {verdict.Passed, "", nil},
	"host-scope-dns":     {verdict.Passed, "", nil},
	// Pods send to pods that have ended.
	"host-scope-ended":         {verdict.Passed, "", nil},
	"host-scope-ended-leak":    {verdict.Failed, "WG0402", nil},
	"host-cilium-scope-ended":  {verdict.Passed, "", nil},
	"host-cilium-tunnel-ended": {verdict.Passed, "", nil},
	"vm-calico-scope-ended": {verdict.Failed, "WG0621",
		[]string{`the class "pod → remote pod that has ended" from node-1 to node-2`, "first seen leaving node-2 on eth0"}},
	"vm-calico-scope-ended-refused": {verdict.Passed, "", nil},
	"host-scope-dns-leak":           {verdict.Failed, "WG0402", nil},
	"host-scope-no-proxy": {verdict.Undecided, "WG0621",
		[]string{"the address of the Service was not translated on node-1"}},
	"host-cilium-scope":           {verdict.Passed, "", nil},
	"host-cilium-scope-node":      {verdict.Passed, "", nil},
	"host-cilium-scope-opted-out": {verdict.Passed, "", nil},
	"host-cilium-tunnel-scope":    {verdict.Passed, "", nil},
	"host-cilium-kpr":             {verdict.Passed, "", nil},
	"host-cilium-tunnel-kpr":      {verdict.Passed, "", nil},
	"vm-calico-scope":             {verdict.Passed, "", nil},
	"vm-calico-scope-hosts":       {verdict.Passed, "", nil},
	"host-scope-service-leak": {verdict.Failed, "WG0621",
		[]string{`the class "pod → ClusterIP of a remote pod" from node-1 to node-2`, "eth0 tx"}},

	// The same: two nodes whose kernel translates the addresses of
	// Services, without Kubernetes (probe/agent, TestLiveClasses).
	"live-classes": {verdict.Passed, "", nil},
	"live-classes-untranslated": {verdict.Undecided, "WG0621",
		[]string{"pod → ClusterIP of a remote pod, from node-0 to node-1", "is the Service's address translated"}},
	"live-classes-service-leak": {verdict.Failed, "WG0621",
		[]string{`the class "pod → ClusterIP of a remote pod" from node-0 to node-1`, "eth0 tx",
			"10.42.0.2 → 10.42.1.2"}},
	"live-classes-node-leak": {verdict.Failed, "WG0621", []string{"node → remote pod"}},

	// Systems without a profile, whose carrier is known by evidence: Cilium's BPF
	// programs lead packets into it and no route does, Calico's rule does.
	"host-cilium-native": {verdict.Passed, "", nil},
	// Real agents of Cilium.
	"host-cilium-encrypted": {verdict.Passed, "", nil},
	"host-cilium-node-all":  {verdict.Passed, "", nil},
	"host-cilium-off": {verdict.Failed, "WG0601",
		[]string{"in PLAINTEXT without encapsulation", "eth0 tx", "variant bare"}},
	"host-cilium-shared-key": {verdict.Failed, "WG0303", []string{"node-1 and node-2 share the key"}},
	"host-cilium-no-key":     {verdict.Failed, "WG0301", []string{"node-2 publishes no WireGuard key"}},
	"host-cilium-route-past": {verdict.Failed, "WG0401",
		[]string{"via eth1, where no program of the network leads it into cilium_wg0"}},
	"host-cilium-allowed-lost": {verdict.Failed, "WG0304",
		[]string{"has only a part of its pod range 10.42.0.0/24"}},
	"host-cilium-mark":        {verdict.Undecided, "WG0402", []string{"mark set 0xe00", "recognise by this mark"}},
	"host-cilium-udp-blocked": {verdict.Failed, "WG0501", []string{"drops UDP port 51871"}},
	"host-cilium-strict":      {verdict.Passed, "", nil},
	"host-cilium-node":        {verdict.Passed, "", nil},
	"host-cilium-tunnel-off": {verdict.Failed, "WG0601",
		[]string{"in PLAINTEXT inside VXLAN", "variant vxlan"}},
	"host-cilium-tunnel-allowed-lost": {verdict.Failed, "WG0304",
		[]string{"does not have 192.0.2.12, the address that its overlay sends to"}},
	"host-cilium-tunnel":      {verdict.Passed, "", nil},
	"host-cilium-tunnel-node": {verdict.Passed, "", nil},
	"vm-calico-felix":         {verdict.Passed, "", nil},

	// Calico with its own IPAM, whose blocks are not the nodes' pod ranges in the API.
	"vm-calico-healthy":         {verdict.Passed, "", nil},
	"vm-calico-host-encryption": {verdict.Passed, "", nil},
	"vm-calico-off":             {verdict.Failed, "WG0601", []string{"in PLAINTEXT without encapsulation"}},
	"vm-calico-override": {verdict.Failed, "WG0101",
		[]string{"unencapsulated on node-2", "wireguard on node-1"}},
	"vm-calico-key-shared":  {verdict.Failed, "WG0301", []string{"node-2 publishes the key"}},
	"vm-calico-key-foreign": {verdict.Failed, "WG0301", []string{"node-2 publishes the key YWFhYWFhYWFh"}},
	"vm-calico-tc-drop":     {verdict.Failed, "WG0501", []string{"tc"}},
	"vm-calico-key-removed": {verdict.Failed, "WG0301", []string{"node-2 publishes no WireGuard key",
		"node-1 therefore keeps", "throw 10.42.247.0/26 table 1"}},
}

func TestRecordings(t *testing.T) {
	files, err := filepath.Glob("testdata/v1/*.ndjson")
	if err != nil || len(files) != len(recorded) {
		t.Errorf("%d recordings, %d expectations, %v", len(files), len(recorded), err)
	}
	for name, want := range recorded {
		t.Run(name, func(t *testing.T) {
			j := Judge(load(t, name))
			if j.Verdict != want.verdict {
				t.Fatalf("%s, want %s:\n%s", j.Verdict, want.verdict, strings.Join(bad(j), "\n"))
			}
			if want.cause == "" {
				return
			}
			text := j.FirstCause.Text + "\nvariant " + j.FirstCause.Variant
			for _, r := range j.FirstCause.Readings {
				text += "\n" + r.What + " " + r.Text
			}
			if j.FirstCause.Code != want.cause {
				t.Errorf("first cause %s, want %s: %s", j.FirstCause.Code, want.cause, text)
			}
			for _, part := range want.says {
				if !strings.Contains(text, part) {
					t.Errorf("%q is not in the first cause:\n%s", part, text)
				}
			}
		})
	}
}

// Law, on real evidence: without any one message that is not progress, what
// passed does not pass, and what failed does not pass either. Of what did not
// pass every fifth is tried, and of many nodes, which say much the same, every
// twentieth.
func TestDeletingAnyRecordedMessageNeverPasses(t *testing.T) {
	for name, want := range recorded {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := load(t, name)
			every := 1
			switch {
			case len(whole.Streams()) > 10:
				every = 20
			case want.verdict != verdict.Passed:
				every = 5
			}
			deleted := 0
			for _, stream := range whole.Streams() {
				for i, m := range whole.Messages(stream) {
					kind, _ := m.Kind()
					if kind == evidence.KindProgress || i%every != 0 {
						continue
					}
					deleted++
					if j := Judge(without(whole, stream, i)); j.Verdict == verdict.Passed {
						t.Errorf("it passes without message %d (%s) of %s", m.Seq, kind, stream)
					}
				}
			}
			if deleted == 0 {
				t.Error("nothing was deleted")
			}
		})
	}
}

func load(t *testing.T, name string) *recording.Recording {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "v1", name+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	said, err := recording.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return said
}
