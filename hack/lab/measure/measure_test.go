package measure

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPhases(t *testing.T) {
	got, err := phases([]byte(`surveying the cluster
time=2026-11-22T02:25:35.140Z level=DEBUG msg=phase name="surveying the cluster" took=66ms error=<nil>
time=2026-11-22T02:25:36.149Z level=DEBUG msg=step name="reading the counters" took=7ms
time=2026-11-22T02:25:36.149Z level=DEBUG msg=step name="sending canaries" took=1.5s
time=2026-11-22T02:25:37.149Z level=DEBUG msg=step name="reading the counters" took=500µs
time=2026-11-22T02:25:37.140Z level=DEBUG msg=phase name=judging took=2ms
time=2026-11-22T02:25:37.140Z level=DEBUG msg="Subprotocol negotiated" protocol=v5.channel.k8s.io
`))
	want := []Phase{
		{Name: "surveying the cluster", Took: 66 * time.Millisecond},
		{Name: "reading the counters", Step: true, Took: 7500 * time.Microsecond},
		{Name: "sending canaries", Step: true, Took: 1500 * time.Millisecond},
		{Name: "judging", Took: 2 * time.Millisecond},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, log := range []string{"", `x msg=phase name="placing" took=soon`} {
		if got, err := phases([]byte(log)); err == nil {
			t.Errorf("%q gives %v", log, got)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, test := range []struct {
		durations []time.Duration
		want      Spread
	}{
		{nil, Spread{}},
		{[]time.Duration{3}, Spread{3, 3, 3}},
		{[]time.Duration{9, 1, 5}, Spread{5, 1, 9}},
		{[]time.Duration{8, 2, 4, 6}, Spread{5, 2, 8}},
	} {
		if got := spread(test.durations); got != test.want {
			t.Errorf("%v: got %v, want %v", test.durations, got, test.want)
		}
	}
}

func TestParse(t *testing.T) {
	const namespace = "---\nkind: Namespace\nmetadata: {name: kubectl-wg-x}\n"
	const job = "---\nkind: Job\nmetadata: {name: wg-x-pod-0, namespace: kubectl-wg-x}\nspec: {backoffLimit: 0}\n"
	all, err := parse([]byte(namespace + job + job))
	if err != nil || all.namespaces[0].Name != "kubectl-wg-x" || len(all.jobs) != 2 || *all.jobs[0].Spec.BackoffLimit != 0 {
		t.Errorf("got %+v, %v", all, err)
	}
	for _, text := range []string{"", namespace, job, namespace + job + "---\nkind: ConfigMap\n", "---\n\t"} {
		if all, err := parse([]byte(text)); err == nil {
			t.Errorf("%q gives %+v", text, all)
		}
	}
}

func TestWrite(t *testing.T) {
	round := func(ready, verify time.Duration) Round {
		return Round{Ready: ready, Verify: verify, Manual: 2 * verify, Phases: []Phase{{Name: "placing the pods", Took: ready}, {Name: secondPass, Step: true, Took: time.Second / 4}}}
	}
	var out strings.Builder
	Write(&out, []Round{round(time.Second, 3*time.Second), round(2*time.Second, 3*time.Second)})
	want := `seconds                    median  min    max
A  pods Ready              1.500   1.000  2.000
B  verify                  3.000   3.000  3.000
B - A                      1.500   1.000  2.000
B - A - second pass        1.250   0.750  1.750
C  manual procedure        6.000   6.000  6.000
pods gone, not waited for  0.000   0.000  0.000
placing the pods           1.500   1.000  2.000
  second pass              0.250   0.250  0.250
B / A = 2.00 (of medians, 2 rounds)
B / C = 0.50
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
