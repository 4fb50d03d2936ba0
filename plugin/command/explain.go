package command

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/perf"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// checkFamilies are the families of checks, by the first digits of their codes.
var checkFamilies = []struct{ prefix, about string }{
	{"WG01", "cluster, configuration and the run itself"},
	{"WG02", "hosts and devices"},
	{"WG03", "peers and keys"},
	{"WG04", "routing"},
	{"WG05", "reachability and MTU"},
	{"WG06", "proof on the wire"},
	{"WG07", "performance"},
	{"WG08", "scope and advice"},
}

func (r *root) explain() *cobra.Command {
	return &cobra.Command{
		Use:        "explain [CODE...]",
		SuggestFor: []string{"describe", "doc", "docs", "why", "codes", "checks", "list", "show"},
		Short:      "Explain a check: purpose, data sources, fixes",
		Long: `Explain checks: what each is for, what it reads and how to fix what it finds.
CODE is as in a report, WG0401, or the beginning of several: WG04. Without a
code all checks are listed.`,
		Example: `  kubectl wg explain WG0401
  kubectl wg explain WG04`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var codes []string
			for _, c := range allChecks() {
				codes = append(codes, c.Code+"\t"+c.Title)
			}
			return codes, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return r.listChecks("WG")
			}
			return r.explainAll(args)
		},
	}
}

// explainAll explains checks, or lists those that begin with a code, if it
// knows all of them.
func (r *root) explainAll(args []string) error {
	codes := make([]string, len(args))
	for i, arg := range args {
		codes[i] = strings.ToUpper(arg)
		if !strings.HasPrefix(codes[i], "WG") {
			codes[i] = "WG" + codes[i]
		}
		begins := func(c verdict.Check) bool { return strings.HasPrefix(c.Code, codes[i]) }
		if !slices.ContainsFunc(allChecks(), begins) {
			return usagef("kubectl wg explain lists all codes", "there is no check %s", arg)
		}
	}
	for i, code := range codes {
		if i > 0 {
			fmt.Fprintln(r.streams.Out)
		}
		if err := r.explainCode(code); err != nil {
			return err
		}
	}
	return nil
}

func (r *root) explainCode(code string) error {
	if c, ok := check.Find(code); ok {
		return report.Explain(r.streams.Out, c)
	}
	for _, c := range perf.Checks() {
		if c.Code == code {
			return r.explainCause(c)
		}
	}
	return r.listChecks(code)
}

// allChecks are those of a verification and the causes that perf looks for.
func allChecks() []verdict.Check { return slices.Concat(check.Documented(), perf.Checks()) }

// explainCause explains a cause that the command perf looks for.
func (r *root) explainCause(c verdict.Check) error {
	if err := report.Explain(r.streams.Out, c); err != nil {
		return err
	}
	_, err := fmt.Fprintf(r.streams.Out, "\nkubectl wg perf looks for it. Fix: %s\n", perf.Hint(c.Code))
	return err
}

// listChecks lists the checks whose codes begin so, under the headings of their
// families.
func (r *root) listChecks(prefix string) error {
	checks := allChecks()
	slices.SortFunc(checks, func(a, b verdict.Check) int { return cmp.Compare(a.Code, b.Code) })
	var text strings.Builder
	for _, family := range checkFamilies {
		heading := fmt.Sprintf("%sxx: %s\n", family.prefix, family.about)
		for _, c := range checks {
			if !strings.HasPrefix(c.Code, family.prefix) || !strings.HasPrefix(c.Code, prefix) {
				continue
			}
			fmt.Fprintf(&text, "%s  %s  %s\n", heading, c.Code, c.Title)
			heading = ""
		}
		if heading == "" {
			text.WriteString("\n")
		}
	}
	_, err := io.WriteString(r.streams.Out, strings.TrimSuffix(text.String(), "\n"))
	return err
}
