package remedy

import (
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/printed"
)

// backendRows change what every node runs, which takes a reboot of each: links,
// routes and the pods' MTU stay otherwise.
var backendRows = []string{"WG0101", "WG0104", "WG0601"}

// TestNothingUnsafeIsPrinted reads every row as it stands in the table: its
// commands must be safe in a shell, and open or take away no more than the one
// tunnel needs.
func TestNothingUnsafeIsPrinted(t *testing.T) {
	for _, r := range table {
		for _, problem := range problemsOf(r) {
			t.Errorf("%s/%s/%s: %s", r.code, r.variant, r.distribution, problem)
		}
	}
}

func problemsOf(r row) (problems []string) {
	texts := []string{r.hint.Title, r.hint.Disruption, r.hint.Note}
	for _, step := range r.hint.Steps {
		texts = append(texts, step.Note)
		for _, problem := range printed.Command(step.Command) {
			if problem != printed.Reboot || !slices.Contains(backendRows, r.code) {
				problems = append(problems, step.Command+": "+problem)
			}
		}
	}
	for _, text := range texts {
		for _, problem := range printed.Text(text) {
			problems = append(problems, text+": "+problem)
		}
	}
	return problems
}

// Each kind of step that must not come back is noticed.
func TestUnsafeRowsAreNoticed(t *testing.T) {
	steps := func(command string) row { return row{hint: Hint{Steps: []Step{{Command: command}}}} }
	for name, r := range map[string]row{
		"accepts a link": steps("nft insert rule {family} {table} {chain} iifname {device} accept"),
		"accepts all":    steps("{iptables} -I INPUT -p udp --dport {port} -j ACCEPT"),
		"reboots":        {code: "WG0501", hint: Hint{Steps: []Step{rebootEach}}},
		"a note":         {hint: Hint{Note: "with ufw: ufw allow {port}/udp"}},
		"a note of a step": {
			hint: Hint{Steps: []Step{{Note: "firewall-cmd --add-port={port}/udp", Command: "modprobe x"}}},
		},
	} {
		if len(problemsOf(r)) == 0 {
			t.Errorf("%s: not noticed", name)
		}
	}
	if problems := problemsOf(row{code: "WG0601", hint: Hint{Steps: []Step{rebootEach}}}); len(problems) > 0 {
		t.Errorf("a change of the backend: %q", problems)
	}
}
