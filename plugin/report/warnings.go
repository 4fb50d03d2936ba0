package report

import (
	"fmt"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// warnings writes a line for each check that warns: of one subject in its words,
// of several in the check's.
func (t *text) warnings() {
	byCode := map[string][]verdict.Finding{}
	var codes []string
	for i := range t.Findings {
		f := t.Findings[i]
		if f.Status != verdict.Warn {
			continue
		}
		if byCode[f.Code] == nil {
			codes = append(codes, f.Code)
		}
		byCode[f.Code] = append(byCode[f.Code], f)
	}
	if len(codes) == 0 || t.uncounted() {
		return
	}
	t.gap()
	if t.Verdict != verdict.Passed && t.terse >= least && len(codes) > 1 {
		t.labelled("Warnings", strings.Join(codes, ", ")+" (--details)")
		return
	}
	label := "Warnings"
	for _, code := range codes {
		t.labelled(label, fmt.Sprintf("! %s  %s", code, t.warning(byCode[code])))
		label = ""
	}
}

// uncounted reports whether warnings have no line of their own: the scope's has
// their number then.
func (t *text) uncounted() bool { return t.terse == densest && t.Verdict != verdict.Passed }

// warning words warnings of one check.
func (t *text) warning(findings []verdict.Finding) string {
	first := &findings[0]
	all := t.Totals.Of(first.Code).Statuses[verdict.Warn]
	if all < 2 {
		return first.Text
	}
	where := t.names.ofFindings(findings, all)
	if first.Subject.Peer == "" {
		where = fmt.Sprintf("%d nodes", all)
	}
	return fmt.Sprintf("%s (%s)", failed(first), where)
}
