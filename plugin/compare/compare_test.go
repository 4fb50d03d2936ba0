package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/golden"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// reported judges a recording and reads the report on it.
func reported(t *testing.T, name string) *Report {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "check", "testdata", "v1", name+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	recorded, err := recording.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var document bytes.Buffer
	if err := report.Write(&document, "json", check.Judge(recorded), report.Options{}); err != nil {
		t.Fatal(err)
	}
	read, err := Read(&document)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// What recordings of the lab become when they are compared.
func TestRecordings(t *testing.T) {
	for _, test := range []struct {
		name, before, after string
		regression          bool
		direction           Direction
	}{
		{"same", "host-healthy-three", "host-healthy-three", false, Same},
		{"blocked", "host-healthy-three", "host-three-udp-blocked", true, Worse},
		{"unblocked", "host-three-udp-blocked", "host-healthy-three", false, Better},
		{"leak", "host-healthy-wireguard", "host-stale-flannel-route", true, Worse},
		{"switched", "host-vxlan", "host-healthy-wireguard", false, Better},
		{"node-added", "host-healthy-wireguard", "host-healthy-three", false, Same},
		{"not-ready", "host-healthy-three", "host-node-not-ready", true, Worse},
		{"other-fault", "host-stale-key", "host-udp-blocked", true, Worse},
		{"cut-short", "host-udp-blocked", "host-probe-truncates", true, Worse},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Compare(reported(t, test.before), reported(t, test.after), Options{Before: test.before, After: test.after})
			if c.Regression != test.regression || c.Direction != test.direction || (c.ExitCode == 1) != test.regression {
				t.Errorf("%s, regression %t, exit code %d", c.Direction, c.Regression, c.ExitCode)
			}
			var text bytes.Buffer
			if err := c.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, test.name+".text", text.Bytes())
		})
	}
}

func TestDocument(t *testing.T) {
	c := Compare(reported(t, "host-healthy-wireguard"), reported(t, "host-stale-flannel-route"), Options{})
	var document bytes.Buffer
	if err := report.WriteData(&document, "json", c); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "leak.json", document.Bytes())
}

func TestDirection(t *testing.T) {
	for _, test := range []struct {
		from, to    status
		want, proof Direction
	}{
		{pass, pass, Same, Same},
		{pass, fine, Same, Same},
		{pass, warn, Worse, Worse},
		{pass, inconclusive, Worse, Worse},
		{pass, fail, Worse, Worse},
		{warn, pass, Better, Better},
		{fail, pass, Better, Better},
		{fail, warn, Better, Better},
		{fail, inconclusive, Changed, Changed},
		{inconclusive, fail, Worse, Worse},
		{inconclusive, pass, Better, Better},
		{notApplicable, pass, Same, Same},
		{notApplicable, fail, Worse, Worse},
		{pass, notApplicable, Same, Worse},
		{fail, notApplicable, Changed, Changed},
		{fail, unknown, Same, Same},
		{unknown, fail, Same, Same},
	} {
		if got := direction(test.from, test.to); got != test.want {
			t.Errorf("%s → %s is %s, want %s", test.from, test.to, got, test.want)
		}
		if got := proofDirection(test.from, test.to); got != test.proof {
			t.Errorf("a proof: %s → %s is %s, want %s", test.from, test.to, got, test.proof)
		}
	}
}

// large is a report on many nodes, which lists what is not fine.
func large(nodes int, failing ...verdict.Subject) *Report {
	r := &Report{Verdict: "PASS", Run: run{ID: fmt.Sprint(len(failing)), Families: []int{4}}}
	for i := range nodes {
		r.Run.Nodes = append(r.Run.Nodes, fmt.Sprintf("node-%d", i))
	}
	r.Totals = totals{Pairs: nodes * (nodes - 1), Statuses: map[status]int{pass: nodes*(nodes-1) - len(failing)}}
	statuses := map[status]int{pass: r.Totals.Statuses[pass]}
	for _, on := range failing {
		r.Verdict = "FAIL"
		r.Totals.Statuses[fail]++
		statuses[fail]++
		r.Pairs = append(r.Pairs, pair{Subject: on, Status: fail})
		r.Findings = append(r.Findings, finding{Code: "WG0601", Status: fail, Subject: on, Text: "it leaks"})
	}
	r.Totals.Checks = []checkTotal{{"WG0601", statuses}}
	return r
}

func on(node, peer string) verdict.Subject { return verdict.Subject{Node: node, Peer: peer, Family: 4} }

func TestManyNodes(t *testing.T) {
	var failing []verdict.Subject
	for i := 1; i < 500; i++ {
		failing = append(failing, on("node-0", fmt.Sprintf("node-%d", i)))
	}
	start := time.Now()
	c := Compare(large(1000), large(1000, failing...), Options{})
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if c.Pairs.Compared != 999000 || c.Pairs.Worse != 499 || len(c.Pairs.Changes) != maxChanges || c.Pairs.Unknown != 0 {
		t.Errorf("%d compared, %d worse, %d listed", c.Pairs.Compared, c.Pairs.Worse, len(c.Pairs.Changes))
	}
	document, err := json.Marshal(c)
	if err != nil || len(document) > 100<<10 {
		t.Errorf("a document of %d bytes, %v", len(document), err)
	}
	var text bytes.Buffer
	if err := c.WriteText(&text); err != nil || strings.Count(text.String(), "\n") > 50 {
		t.Errorf("%v\n%s", err, &text)
	}
}

// A report that does not list all that fails says nothing of what it does not list.
func TestNotListed(t *testing.T) {
	before := large(20, on("node-1", "node-2"), on("node-3", "node-4"))
	before.Totals.Statuses[fail]++
	before.Totals.Checks[0].Statuses[fail]++
	c := Compare(before, large(20, on("node-1", "node-2"), on("node-5", "node-6")), Options{})
	if c.Pairs.Worse != 0 || c.Pairs.Unknown != 378 || c.Regression {
		t.Errorf("%+v", c.Pairs)
	}
	if c.Pairs.Better != 1 || c.Pairs.Changes[0].Subject != on("node-3", "node-4") {
		t.Errorf("what was listed and is fine now is better: %+v", c.Pairs)
	}
}

// Directions that were not tested before cannot be worse, unless nothing was as bad.
func TestFirstTested(t *testing.T) {
	ring := func(failing ...verdict.Subject) *Report {
		r := large(4, failing...)
		r.Run.Asked = map[string][]string{"node-0": {"node-1"}, "node-2": {"node-3"}}
		return r
	}
	c := Compare(ring(on("node-0", "node-1")), large(4, on("node-0", "node-1"), on("node-1", "node-0")), Options{})
	if c.Regression || c.Pairs.Compared != 2 || c.Pairs.OnlyAfter != 10 || c.Pairs.UnprovenAfter != 1 {
		t.Errorf("regression %t, %+v", c.Regression, c.Pairs)
	}
	c = Compare(ring(), large(4, on("node-1", "node-0")), Options{})
	if !c.Regression || len(c.Codes) != 1 || c.Codes[0].Changes[0].From != string(notTested) {
		t.Errorf("regression %t, %+v", c.Regression, c.Codes)
	}
}

func TestFailOnWarn(t *testing.T) {
	after := large(2)
	after.Findings = []finding{{Code: "WG0601", Status: warn, Subject: on("node-0", "node-1")}}
	after.Totals.Checks[0].Statuses = map[status]int{pass: 1, warn: 1}
	if c := Compare(large(2), after, Options{}); c.Regression || c.Direction != Worse {
		t.Errorf("%s, regression %t", c.Direction, c.Regression)
	}
	if c := Compare(large(2), after, Options{FailOnWarn: true}); !c.Regression {
		t.Error("a new warning is a regression if warnings count")
	}
}

// What a report holds reaches no terminal as it is, and breaks no line.
func TestHostile(t *testing.T) {
	after := large(2, on("node-0", "node-1"))
	after.Findings[0].Text = "\x1b[2Jfine\nNo regression."
	after.Profile.Title = "a\rb"
	var text bytes.Buffer
	if err := Compare(large(2), after, Options{}).WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text.String(), "\x1b\r") || slices.Contains(strings.Split(text.String(), "\n"), "No regression.") {
		t.Errorf("%q", text.String())
	}
}

func TestRead(t *testing.T) {
	for document, want := range map[string]string{
		"":   "EOF",
		"[]": "cannot unmarshal",
		`{"kind":"Verification","apiVersion":"kubectl-wg.io/v1"}`: "cannot be compared",
		`{"kind":"Verification","apiVersion":"other/v2"}`:         "its apiVersion is",
		`{"kind":"Pod"}`: "its kind is",
		`{"kind":"Verification","apiVersion":"kubectl-wg.io/v2","verdict":"ERROR","error":{"message":"no nodes"}}`: "no nodes",
		`{"kind":"Verification","apiVersion":"kubectl-wg.io/v2","verdict":"MAYBE"}`:                                "MAYBE",
	} {
		if _, err := Read(strings.NewReader(document)); !errors.Is(err, ErrReport) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", document, err, want)
		}
	}
}
