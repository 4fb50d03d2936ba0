package check

import (
	"fmt"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/profile"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// view looks at a case through the eyes of a profile.
type view struct {
	profile.Profile
	// What is the same for most pairs is found out once.
	reaches      memo[between, *reach]
	expectations memo[carried, messages]
	servers      memo[*verdict.Case, servers]
	nodePaths    memo[nodeFamily, *nodePaths]
	podSpaces    memo[*verdict.Case, *podSpace]
}

// explained are the collectors whose failure cannot hide a leak: what they did
// not read is missing where it is needed, or it only explains. Any other
// problem of a probe could.
var explained = map[string]bool{"device": true, "route": true, "rule": true, "firewall": true, "socket": true, "module": true}

// prepare resolves the case for a profile's eyes.
func prepare(c *verdict.Case, p profile.Profile) {
	c.Resolve(func(n *verdict.Node, family int) verdict.Carrier {
		return verdict.Carrier{Name: p.Device(n, family), Endpoint: p.Endpoint(n, family)}
	})
	for _, n := range c.Nodes {
		n.Unsound = unsound(n)
		if n.Unsound == "" {
			n.Uncontrolled = uncontrolled(n)
		}
	}
}

// unsound says why the captures of a node cannot vouch for what they did not
// see, empty if they can.
func unsound(n *verdict.Node) string {
	if n.ProbeGap != "" {
		return "the evidence of the probe on " + n.Name + " is incomplete: " + n.ProbeGap
	}
	for _, p := range n.Problems {
		if explained[p.What] {
			continue
		}
		on := n.Name
		if p.On != "" {
			on = p.On + " of " + n.Name
		}
		return fmt.Sprintf("%s on %s: %s", p.What, on, p.Text)
	}
	watched := map[string]bool{}
	for _, c := range n.Captures {
		watched[c.Link] = true
		switch {
		case c.Error != "":
			return fmt.Sprintf("the capture on %s of %s broke: %s", c.Link, n.Name, c.Error)
		case !c.Started || !c.Alive:
			return fmt.Sprintf("the capture on %s of %s did not run over the whole window", c.Link, n.Name)
		case c.Drops > 0:
			return fmt.Sprintf("the capture on %s of %s lost %d of %d frames", c.Link, n.Name, c.Drops, c.Drops+c.Frames)
		case c.Truncated > 0:
			return fmt.Sprintf("the capture on %s of %s cut %d frames short", c.Link, n.Name, c.Truncated)
		}
	}
	outside := n.Outside()
	if len(outside) == 0 {
		return "no link that leaves the host was found on " + n.Name
	}
	for _, l := range outside {
		if !watched[l.Name] {
			return fmt.Sprintf("%s of %s leaves the host and was not watched", l.Name, n.Name)
		}
	}
	return ""
}

func short(key string) string {
	if len(key) > 12 {
		return key[:12] + "…"
	}
	if key == "" {
		return "none"
	}
	return key
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func list(items []string) string { return strings.Join(items, ", ") }

func pass(format string, args ...any) verdict.Outcome {
	return verdict.Outcome{Status: verdict.Pass, Words: &verdict.Words{Text: fmt.Sprintf(format, args...)}}
}

func fail(format string, args ...any) verdict.Outcome {
	return verdict.Outcome{Status: verdict.Fail, Words: &verdict.Words{Text: fmt.Sprintf(format, args...)}}
}

func unknown(format string, args ...any) verdict.Outcome {
	return verdict.Outcome{Status: verdict.Inconclusive, Words: &verdict.Words{Text: fmt.Sprintf(format, args...)}}
}

func skip(format string, args ...any) verdict.Outcome {
	return verdict.Outcome{Status: verdict.NotApplicable, Words: &verdict.Words{Text: fmt.Sprintf(format, args...)}}
}

func warn(format string, args ...any) verdict.Outcome {
	return verdict.Outcome{Status: verdict.Warn, Words: &verdict.Words{Text: fmt.Sprintf(format, args...)}}
}
