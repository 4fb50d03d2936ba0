package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// header says what was verified, when and by what.
func (t *text) header() {
	t.labelled("Cluster", strings.Join(t.cluster(), ", "))
	t.labelled("Run", strings.Join(t.run(), ", "))
	if identity := t.identity(); len(identity) > 0 && (t.terse < untitled || t.Details) {
		t.labelled("Identity", strings.Join(identity, ", "))
	}
}

// cluster names the cluster, as far as the recording does, its network and size.
func (t *text) cluster() (parts []string) {
	c := t.Graph.Cluster
	switch {
	case c.Context != "" && c.Server != "" && t.terse < densest:
		parts = append(parts, fmt.Sprintf("%s (%s)", c.Context, c.Server))
	case c.Context+c.Server != "":
		parts = append(parts, cmp.Or(c.Context, c.Server))
	}
	parts = append(parts, t.Profile.Title)
	var families []string
	for _, family := range t.Graph.Run.Families {
		families = append(families, fmt.Sprintf("IPv%d", family))
	}
	if len(families) > 0 {
		parts = append(parts, strings.Join(families, " and "))
	}
	return append(parts, Count(len(t.Graph.Nodes), "node"))
}

// run names the run, its time and the version that made it.
func (t *text) run() []string {
	about := &t.Graph.Run
	parts := []string{about.ID}
	if about.Started != 0 {
		parts = append(parts, time.Unix(0, about.Started).UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if took := duration(about.Started, about.Ended); took > 0 {
		parts = append(parts, took.String())
	}
	if about.Version != "" {
		parts = append(parts, "kubectl-wg "+about.Version)
	}
	return parts
}

// duration is how long a run took, 0 if its record does not say.
func duration(started, ended int64) time.Duration {
	if started == 0 || ended <= started {
		return 0
	}
	return time.Duration(ended - started).Round(time.Second)
}
