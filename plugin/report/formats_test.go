package report

import (
	"bytes"
	"regexp"
	"sync"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/golden"
	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
)

var testRecording = Recording{
	Name: "evidence.ndjson.gz", SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}

// verdicts are runs with every kind of verdict, with what recordings of earlier
// versions lack. They are judged once and not to be changed.
func verdicts(t *testing.T) map[string]*check.Judgement {
	judgeVerdicts.Do(func() { judgedVerdicts = newVerdicts(t) })
	return judgedVerdicts
}

var (
	judgeVerdicts  sync.Once
	judgedVerdicts map[string]*check.Judgement
)

func newVerdicts(t *testing.T) map[string]*check.Judgement {
	both := mesh.New(4)
	both.Leak(0, 1)
	both.LoseUDP(2, 3)
	many := mesh.New(14)
	for to := range 14 {
		if to != 3 {
			many.LoseCanaries(3, to)
		}
	}
	all := map[string]*check.Judgement{
		"leak-beside-outage": check.Judge(both),
		"pass-100":           check.Judge(mesh.New(100)),
		"fail-14":            check.Judge(many),
	}
	for name, recording := range map[string]string{
		"pass":         "host-healthy-wireguard",
		"leak":         "host-stale-flannel-route",
		"blocked":      "host-three-udp-blocked",
		"broken-pair":  "host-three-network-one-pair",
		"inconclusive": "host-probe-blind",
		"no-pair":      "host-node-not-ready",
		"dual-stack":   "host-healthy-dual",
		"services":     "live-classes-service-leak",
	} {
		all[name] = judged(t, recording)
	}
	all["waived"] = acceptedBy(t, "host-three-udp-blocked", grants)
	for _, j := range all {
		identified(j)
	}
	return all
}

// rendered are all verdicts in one format.
func rendered(t *testing.T, format string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, j := range verdicts(t) {
		var b bytes.Buffer
		if err := Write(&b, format, j, Options{Recording: testRecording}); err != nil {
			t.Fatal(err)
		}
		all[name] = b.String()
	}
	return all
}

// extensions are those of the golden files.
var extensions = map[string]string{
	"text": "txt", "short": "short", "json": "json", "yaml": "yaml", "markdown": "md", "html": "html", "junit": "xml",
	"policyreport": "policyreport.yaml", "openreports": "openreports.yaml", inToto: "intoto.json", "openmetrics": "metrics",
}

// constant is what of a page is the same in all: its style sheet, its script and
// their sums.
var constant = regexp.MustCompile(`(?s)(<style>|<script>|sha256-).*?(</style>|</script>|&#39;)`)

// A golden file of each format and verdict shows what a reader or a program gets.
func TestGoldenFormats(t *testing.T) {
	for _, format := range Formats() {
		for name, got := range rendered(t, format) {
			if format == "html" {
				got = constant.ReplaceAllString(got, "$1…$2")
			}
			golden.Compare(t, "formats/"+name+"."+extensions[format], []byte(got))
		}
	}
}
