package check

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// sumsFile holds, for each run of the tests, what was judged of it: a line per
// run, complete and bounded, with a digest of the whole result and one of each
// finding. A change that is not to change what the product says leaves it as it
// is; one that is to renews it by `go test ./plugin/check -run Sums -renew`, and
// its difference is read line by line.
const sumsFile = "testdata/v1.sums"

var renew = flag.Bool("renew", false, "write "+sumsFile+" again")

func TestSums(t *testing.T) {
	now := map[string]*judged{}
	for _, r := range summedRuns(t) {
		if now[r.name+"/complete"] != nil {
			t.Fatalf("two runs have the name %s", r.name)
		}
		for mode, detailed := range map[string]int{"complete": verdict.Detailed, "bounded": 0} {
			now[r.name+"/"+mode] = newJudged(t, judgedAs(r.recording, detailed))
		}
	}
	if *renew {
		writeSums(t, now)
	}
	before := readSums(t)
	for name := range before {
		if now[name] == nil {
			t.Errorf("%s is judged no more", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		now[name].compare(t, name, before[name])
	}
}

// summedRun is a run by the name under which it is summed.
type summedRun struct {
	name      string
	recording graph.Recorded
}

// summedRuns are all recordings, the healthy run and its broken variants, and
// generated meshes, healthy and with faults.
func summedRuns(t *testing.T) (runs []summedRun) {
	for _, r := range evidenceOf(t) {
		runs = append(runs, summedRun{strings.ReplaceAll(r.name, " ", "_"), r.recording})
	}
	for name, streams := range healthyWithout() {
		runs = append(runs, summedRun{strings.ReplaceAll(name, " ", "_"), record(t, streams)})
	}
	faults := map[string]func(*mesh.Mesh){
		"healthy":      func(*mesh.Mesh) {},
		"leak":         func(m *mesh.Mesh) { m.Leak(3, 17) },
		"leak+canary":  func(m *mesh.Mesh) { m.Leak(3, 17); m.LoseCanaries(5, 6) },
		"stale-route":  func(m *mesh.Mesh) { m.StaleRoute(2, 9) },
		"missing-peer": func(m *mesh.Mesh) { m.MissingPeer(1, 8) },
		"lost-udp":     func(m *mesh.Mesh) { m.LoseUDP(4, 0) },
		"cut-short":    func(m *mesh.Mesh) { m.CutShort(7) },
		"20-each":      func(m *mesh.Mesh) { m.Ask("7"); m.LoseCanaries(0, 1); m.Leak(5, 6) },
	}
	for fault, do := range faults {
		for _, families := range [][]int{{4}, {4, 6}} {
			m := mesh.New(20, families...)
			do(m)
			runs = append(runs, summedRun{fmt.Sprintf("mesh-%s-%d", fault, len(families)), m})
		}
	}
	slices.SortStableFunc(runs, func(a, b summedRun) int { return cmp.Compare(a.name, b.name) })
	return runs
}

// judged is a result as it is summed.
type judged struct {
	whole    string // digest of everything
	findings []string
	texts    []string // of the findings, to print what differs
}

func newJudged(t *testing.T, r *verdict.Result) *judged {
	encode := func(v any) []byte {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	j := &judged{whole: digest(16, encode(r))}
	for _, f := range r.Findings {
		text := encode(struct {
			verdict.Finding
			Variant string
			Facts   map[string]string
		}{f, f.Variant, f.Facts})
		j.findings = append(j.findings, digest(2, text))
		j.texts = append(j.texts, string(text))
	}
	return j
}

func digest(bytes int, text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:bytes])
}

// compare reports the first finding that differs, or that something else does.
func (j *judged) compare(t *testing.T, name string, before *judged) {
	t.Helper()
	switch {
	case before == nil:
		t.Errorf("%s was not judged before", name)
		return
	case j.whole == before.whole:
		return
	}
	for i, f := range j.findings {
		if i >= len(before.findings) || f != before.findings[i] {
			t.Errorf("%s: finding %d of %d (%d before) is now\n%s",
				name, i+1, len(j.findings), len(before.findings), j.texts[i])
			return
		}
	}
	t.Errorf("%s: its first %d findings are as before, of %d; pairs, totals, causes or the rest differ",
		name, len(j.findings), len(before.findings))
}

func writeSums(t *testing.T, all map[string]*judged) {
	t.Helper()
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s %s %s\n", name, all[name].whole, strings.Join(all[name].findings, " "))
	}
	if err := os.WriteFile(sumsFile, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readSums(t *testing.T) map[string]*judged {
	t.Helper()
	file, err := os.Open(sumsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all := map[string]*judged{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			t.Fatalf("%q is not a valid line of %s", lines.Text(), sumsFile)
		}
		all[fields[0]] = &judged{whole: fields[1], findings: fields[2:]}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
