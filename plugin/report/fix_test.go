package report

import (
	"reflect"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// The same command on several nodes is one step, in the order of each node's steps.
func TestJoined(t *testing.T) {
	got := joined([]remedy.Step{
		{On: "a", Command: "one"}, {On: "a", Command: "two", Note: "n"},
		{On: "b", Command: "one"}, {On: "b", Command: "two", Note: "n"}, {On: "b", Command: "two"},
		{On: remedy.Operator, Command: "three"}, {On: remedy.Operator, Command: "three"},
	})
	want := []step{
		{[]string{"a", "b"}, "one", ""}, {[]string{"a", "b"}, "two", "n"}, {[]string{"b"}, "two", ""},
		{[]string{remedy.Operator}, "three", ""}, {[]string{remedy.Operator}, "three", ""},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// What is printed to verify again names the nodes of the cause, and never what a
// shell would read otherwise.
func TestAgain(t *testing.T) {
	for pairs, want := range map[string]string{
		"":                                "kubectl wg verify",
		"a":                               "kubectl wg verify", // one node has nobody to send to
		"b a":                             "kubectl wg verify --nodes a,b",
		"b>a":                             "kubectl wg verify --nodes a,b",
		"b>a c>a":                         "kubectl wg verify --nodes a,b,c",
		"a>b c>d e>f g>h i>k":             "kubectl wg verify",
		"a>$(reboot)":                     "kubectl wg verify",
		"a>-x":                            "kubectl wg verify",
		"node-1.example>10-0-0-1.example": "kubectl wg verify --nodes 10-0-0-1.example,node-1.example",
	} {
		c := verdict.Cause{}
		for i, subject := range subjects(pairs) {
			f := verdict.Finding{Subject: subject}
			if i == 0 {
				c.Finding = f
			} else {
				c.Alike = append(c.Alike, f)
			}
		}
		c.Count = len(c.Alike) + 1
		if got := again(&c); got != want {
			t.Errorf("%q: %q, want %q", pairs, got, want)
		}
	}
	bounded := verdict.Cause{Finding: verdict.Finding{Subject: subjects("a>b")[0]}, Count: 2}
	if got := again(&bounded); got != "kubectl wg verify" {
		t.Errorf("of more than are listed: %q", got)
	}
}

// Commands are never wrapped, and what has several lines can be pasted.
func TestCommandsArePasted(t *testing.T) {
	long := "nft insert rule inet filter input " + strings.Repeat("ip saddr 192.0.2.1 ", 10) + "accept"
	text := newText(judged(t, "host-vxlan"), Options{}, full)
	text.fix(remedy.Hint{Title: "t", Disruption: "d", Note: "n", Steps: []remedy.Step{
		{On: "node-1", Command: long},
		{On: remedy.Operator, Command: "kubectl apply -f - <<'EOF'\na: b\nEOF", Note: "a note"},
	}})
	want := "  Fix       t.\n  Impact    d.\n  Note      n\n    node-1 #  " + long +
		"\n    $\nkubectl apply -f - <<'EOF'\na: b\nEOF\n            (a note)\n"
	if text.String() != want {
		t.Errorf("%q, want %q", text.String(), want)
	}
}

func TestManySteps(t *testing.T) {
	var steps []remedy.Step
	for range maxSteps + 5 {
		steps = append(steps, remedy.Step{On: remedy.Operator, Command: "true"})
	}
	text := newText(judged(t, "host-vxlan"), Options{}, full)
	text.fix(remedy.Hint{Title: "t", Steps: steps})
	if !strings.Contains(text.String(), "… and 5 more steps (--details)") {
		t.Error(text.String())
	}
	text = newText(judged(t, "host-vxlan"), Options{Details: true}, full)
	text.fix(remedy.Hint{Title: "t", Steps: steps})
	if strings.Count(text.String(), "$  true") != len(steps) {
		t.Error(text.String())
	}
	if got := text.prompt([]string{"a", "b", "c", "d", "e"}); got != "a, b, c, d, e #" {
		t.Error(got)
	}
	text.Details = false
	if got := text.prompt([]string{"a", "b", "c", "d", "e"}); got != "a, b, c and 2 more (--details) #" {
		t.Error(got)
	}
}
