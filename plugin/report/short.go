package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// writeShort writes a line for the verdict and one for each cause and warning, in
// fields for grep, cut and awk:
//
//	FAIL plaintext run=3w4r3p proven=0/2 causes=1 warnings=2
//	CAUSE plaintext WG0401 node-1->node-2 count=2 node-1 sends …
//	WARN - WG0701 node-1 count=2 flannel-wg of node-1 …
//	POLICY fail unmet=1 waived=1 production
//	UNMET presharedKeys fail count=2 the peer …
//	WAIVED WG0503 node-1->node-2 count=1 owner=… expires=2027-02-01T00:00:00Z …
func writeShort(w io.Writer, j *check.Judgement, options Options) error {
	var b strings.Builder
	kind := j.Kind()
	fmt.Fprintf(&b, "%s %s run=%s proven=%d/%d causes=%d warnings=%d", j.Verdict, dash(string(kind)),
		clean(dash(j.Graph.Run.ID)), proven(j), j.Totals.Pairs, len(j.Decisive()), j.Warnings())
	b.WriteString(shortIdentity(j.Graph))
	if code, reason := j.Exit(options.FailOnWarn); reason != "" {
		fmt.Fprintf(&b, " exit=%d %s", code, reason)
	}
	b.WriteByte('\n')
	for i := range j.Causes {
		c := &j.Causes[i]
		shortLine(&b, "CAUSE", &c.Finding, c.Count)
	}
	written := map[string]bool{}
	for i := range j.Findings {
		f := &j.Findings[i]
		if f.Status == verdict.Warn && !written[f.Code] {
			written[f.Code] = true
			shortLine(&b, "WARN", f, j.Totals.Of(f.Code).Statuses[verdict.Warn])
		}
	}
	shortAcceptance(&b, j.Acceptance)
	_, err := io.WriteString(w, b.String())
	return err
}

// shortIdentity are the fields that name the cluster, who verified it and with what,
// those that were recorded.
func shortIdentity(g *graph.Graph) (fields string) {
	for _, field := range []struct{ name, value string }{
		{"cluster", g.Cluster.UID},
		{"by", g.Cluster.User},
		{"revision", g.Run.Revision},
		{"probes", strings.Join(digests(images(g)), ",")},
	} {
		if field.value != "" {
			fields += " " + field.name + "=" + strings.ReplaceAll(clean(field.value), " ", "_")
		}
	}
	return fields
}

func shortLine(b *strings.Builder, word string, f *verdict.Finding, count int) {
	fmt.Fprintf(b, "%s %s %s %s count=%d %s\n", word, dash(string(f.Kind)), f.Code, clean(plain(f.Subject)), count,
		clean(f.Text))
}

// plain is a subject in one word of ASCII but for the names in it.
func plain(s verdict.Subject) string {
	text := s.Node
	switch {
	case s.Node == "":
		return "cluster"
	case s.Peer != "":
		text += "->" + s.Peer
	}
	if s.Family != 0 {
		text += fmt.Sprintf("/%d", s.Family)
	}
	return strings.ReplaceAll(text, " ", "_")
}

// dash stands for a field that is empty.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
