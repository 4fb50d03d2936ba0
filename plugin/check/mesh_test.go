package check

import (
	"flag"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

func TestMeshPasses(t *testing.T) {
	for _, families := range [][]int{{4}, {4, 6}} {
		nodes := 40
		r := judgedAs(mesh.New(nodes, families...), verdict.Detailed)
		pairs := nodes * (nodes - 1) * len(families)
		if r.Verdict != verdict.Passed || r.Totals.Pairs != pairs ||
			r.Totals.Statuses[verdict.Pass] != pairs || len(r.Pairs) != 0 {
			t.Errorf("%v: %s, %+v, first cause %+v", families, r.Verdict, r.Totals, r.FirstCause)
		}
	}
}

// Of faults among thousands of pairs each is named, and nothing else is.
func TestMeshNamesThePlantedFaults(t *testing.T) {
	const nodes = 100
	m := mesh.New(nodes)
	want := []string{
		m.Leak(3, 71), m.StaleRoute(12, 90), m.MissingPeer(55, 20), m.LoseUDP(80, 8), m.LoseCanaries(40, 41),
	}
	r := judgedAs(m, verdict.Detailed)
	if r.Verdict != verdict.Failed {
		t.Fatal(r.Verdict)
	}
	if got := causes(r); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("named:\n%s\nplanted:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// Nothing is said of pairs that no fault touches.
	touched := map[string]bool{"node-0003 → node-0071": true, "node-0012 → node-0090": true,
		"node-0055 → node-0020": true, "node-0020 → node-0055": true,
		"node-0080 → node-0008": true, "node-0040 → node-0041": true}
	for _, p := range r.Pairs {
		name := p.Subject.String()
		if !touched[name] {
			t.Errorf("%s is not proven: %v", name, p.Notes)
		}
	}
	if bad := r.Totals.Statuses[verdict.Fail] + r.Totals.Statuses[verdict.Inconclusive]; bad != len(r.Pairs) ||
		r.Totals.Statuses[verdict.Pass] != nodes*(nodes-1)-bad {
		t.Errorf("%+v, %d pairs", r.Totals.Statuses, len(r.Pairs))
	}
}

// A probe that breaks off is named, and explains what it leaves open.
func TestMeshNamesABrokenProbe(t *testing.T) {
	m := mesh.New(40)
	want := m.CutShort(17)
	r := judgedAs(m, verdict.Detailed)
	if got := causes(r); r.Verdict != verdict.Undecided || !slices.Equal(got, []string{want}) {
		t.Errorf("%s: %v, want %s", r.Verdict, got, want)
	}
}

// causes are the findings that are not fine and that no other explains.
func causes(r *verdict.Result) (names []string) {
	for _, f := range r.Findings {
		if (f.Status == verdict.Fail || f.Status == verdict.Inconclusive) && f.CausedBy.Code == "" {
			names = append(names, f.Code+" "+f.Subject.String())
		}
	}
	slices.Sort(names)
	return names
}

var meshSizes = flag.String("nodes", "100,300", "numbers of nodes to judge in benchmarks")

// What judging costs.
func BenchmarkJudge(b *testing.B) {
	for _, size := range strings.Split(*meshSizes, ",") {
		nodes, err := strconv.Atoi(size)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(size, func(b *testing.B) {
			m := mesh.New(nodes)
			m.Unpacked = true // packing takes longer than all the rest
			if nodes > 10 {
				m.Leak(3, 7)
				m.LoseCanaries(2, 9)
			}
			before := heap()
			c := graph.New(m)
			pairs := float64(nodes * (nodes - 1))
			packed := float64(heap() - before)
			var r *verdict.Result
			for b.Loop() {
				p := profile.Decide(c)
				r = judge(c, p, verdict.Detailed)
			}
			after := float64(heap() - before)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/pairs, "ns/pair")
			b.ReportMetric(packed/pairs, "laid-B/pair")
			b.ReportMetric(after/pairs, "judged-B/pair")
			b.ReportMetric(after/1e6, "heap-MB")
			if want := int(pairs) - 2; r.Totals.Statuses[verdict.Pass] != want && nodes > 10 {
				b.Errorf("%d pairs are proven, want %d", r.Totals.Statuses[verdict.Pass], want)
			}
			runtime.KeepAlive(c)
		})
	}
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
