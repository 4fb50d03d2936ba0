package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// The short report has a line for the verdict and one for each cause and warning.
func TestShort(t *testing.T) {
	for _, test := range []struct {
		name    string
		options Options
		want    []string // beginnings of the lines
	}{
		{"host-healthy-three", Options{}, []string{
			"PASS - run=t4kxrn proven=6/6 causes=0 warnings=3", "WARN - WG0701 node-1 count=3 ",
		}},
		{"host-healthy-three", Options{FailOnWarn: true}, []string{
			"PASS - run=t4kxrn proven=6/6 causes=0 warnings=3 exit=1 --fail-on warn", "WARN - WG0701 ",
		}},
		{"host-three-udp-blocked", Options{}, []string{
			"FAIL blocked run=j26rdx proven=2/6 causes=1 warnings=3", "CAUSE blocked WG0501 node-1->node-3/4 count=2 ",
			"WARN - WG0701 ",
		}},
		{"host-node-not-ready", Options{}, []string{
			"INCONCLUSIVE unproven run=ndcn9p proven=0/0 causes=1 warnings=1", "CAUSE unproven WG0102 cluster count=1 ",
			"WARN - WG0701 ",
		}},
	} {
		var b bytes.Buffer
		if err := Write(&b, "short", judged(t, test.name), test.options); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(lines) != len(test.want) {
			t.Errorf("%s: %q", test.name, lines)
			continue
		}
		for i, line := range lines {
			if !strings.HasPrefix(line, test.want[i]) {
				t.Errorf("%s: %q, want %q", test.name, line, test.want[i])
			}
		}
	}
}

func TestPlainSubjects(t *testing.T) {
	for want, s := range map[string]verdict.Subject{
		"cluster": {}, "a": {Node: "a"}, "a/6": {Node: "a", Family: 6}, "a->b/4": {Node: "a", Peer: "b", Family: 4},
		"a_b": {Node: "a b"},
	} {
		if got := plain(s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
