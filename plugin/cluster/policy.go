package cluster

import (
	"context"
	"regexp"
	"time"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

// existing is the namespace in which a Job of a run with namespaces of its own is
// tried: theirs do not exist yet.
const existing = "default"

// policyTime bounds what the attempt may cost: it is worth a note, no wait.
const policyTime = 2 * time.Second

// denied matches the words of an admission webhook or policy.
var denied = regexp.MustCompile(`denied (?:the )?request`)

// Policy returns the words of an admission policy that rejects the probe's Job
// in a namespace that exists, and not the test pod's, which needs no privileges;
// empty if there is none. That is not certain: a policy may leave the run's own
// namespaces out.
func (c *Client) Policy(ctx context.Context, run manifests.Run) string {
	if !run.Own() {
		return "" // its Jobs were tried where they will be
	}
	ctx, cancel := context.WithTimeout(ctx, policyTime)
	defer cancel()
	words := c.tryIn(ctx, run, "probe")
	if words == "" || c.tryIn(ctx, run, "pod") != "" {
		return ""
	}
	return words
}

// tryIn returns why a policy rejects a Job of a role, empty if none does.
func (c *Client) tryIn(ctx context.Context, run manifests.Run, role string) string {
	job, err := run.JobObject(manifests.Placing{Role: role, Node: "any"})
	if err != nil {
		return ""
	}
	job.Namespace = existing
	_, err = c.api.BatchV1().Jobs(existing).Create(ctx, job, dryRun)
	if !rejected(err) || !denied.MatchString(err.Error()) {
		c.log.Debug("tried a Job", "role", role, "error", err)
		return ""
	}
	return Line(err.Error())
}
