package report

import (
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// fact is something that identifies a report: of which cluster and run it is, who
// made it, with what, and from which evidence.
type fact struct{ name, title, value string }

// facts are all that are known, in the order in which a reader asks for them. Every
// format shows them.
func (d *document) facts() (known []fact) {
	for _, f := range []fact{
		{"cluster", "Cluster", d.Cluster.Context},
		{"server", "API server", d.Cluster.Server},
		{"clusterUID", "Cluster UID", d.Cluster.UID},
		{"serverVersion", "Kubernetes", d.Cluster.Version},
		{"network", "Network", d.Profile.Title},
		{"run", "Run", d.Run.ID},
		{"user", "Run by", d.Run.User},
		{"started", "Started", d.Run.Started},
		{"ended", "Ended", d.Run.Ended},
		{"version", "kubectl-wg", d.Run.Version},
		{"revision", "Revision", d.Run.Revision},
		{"images", "Probe images", strings.Join(d.Run.Images, " ")},
		{"recording", "Recording", d.recordingName()},
		{"recordingSHA256", "SHA-256 of the recording", d.recordingDigest()},
		{"policy", "Policy", summed(d.Policy)},
	} {
		if f.value != "" {
			known = append(known, f)
		}
	}
	return known
}

func (d *document) recordingName() string {
	if d.Recording == nil {
		return ""
	}
	return d.Recording.Name
}

func (d *document) recordingDigest() string {
	if d.Recording == nil {
		return ""
	}
	return d.Recording.SHA256
}

// gravest returns the gravest status that a check found, by the totals, and the
// findings of it that are listed. What no list has is given by the totals alone.
func (d *document) gravest(code string) (findings []verdict.Finding, status verdict.Status) {
	status = verdict.NotApplicable // to what it would be asked about, if there is nothing
	for s, count := range d.Totals.Of(code).Statuses {
		if count > 0 {
			status = max(status, s)
		}
	}
	for i := range d.Findings {
		if f := &d.Findings[i]; f.Code == code && f.Status == status {
			findings = append(findings, *f)
		}
	}
	return findings, status
}

// kindOf is the gravest kind of what was found of a direction itself, empty where
// its nodes explain what is wrong.
func (d *document) kindOf(p *pair) (kind verdict.Kind) {
	for i := range d.Findings {
		if f := &d.Findings[i]; f.Subject == p.Subject {
			kind = verdict.Graver(kind, f.Kind)
		}
	}
	return kind
}

// titleOf is what should be true by a check's code.
func titleOf(code string) string {
	c, _ := check.Find(code)
	return c.Title
}

// categoryOf is what the checks with the first digits of a code are about.
func categoryOf(code string) string {
	for _, family := range families {
		if strings.HasPrefix(code, family.prefix) {
			return family.title
		}
	}
	return ""
}
