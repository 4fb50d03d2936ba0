package verdict

// Kind is what a failure means for the traffic: whether it can be read, does not
// arrive, or is only not proven.
type Kind string

// The kinds, the gravest first.
const (
	// Plaintext: a packet of a pod was seen in clear, or the kernel certainly gives
	// it a path past the tunnel.
	Plaintext Kind = "plaintext"
	// Blocked: traffic does not arrive, and nothing of it was seen in clear.
	Blocked Kind = "blocked"
	// Misconfigured: keys, addresses or configuration are wrong.
	Misconfigured Kind = "misconfigured"
	// Unproven: nothing is known to be wrong, and the proof is incomplete.
	Unproven Kind = "unproven"
)

var kinds = [...]Kind{Plaintext, Blocked, Misconfigured, Unproven}

// rank orders kinds, the gravest first; none comes last.
func (k Kind) rank() int {
	for i := range kinds {
		if kinds[i] == k {
			return i
		}
	}
	return len(kinds)
}

// Graver returns the graver of two kinds; "" is none.
func Graver(a, b Kind) Kind {
	if b.rank() < a.rank() {
		return b
	}
	return a
}

// kindOf returns the kind of what a check found: of anything that did not fail
// and is not fine it is unproven.
func (c *Check) kindOf(found *Outcome) Kind {
	switch {
	case found.Status < Inconclusive:
		return ""
	case found.Status == Inconclusive:
		return Unproven
	case found.Kind != "":
		return found.Kind
	case c.Kind != "":
		return c.Kind
	}
	return Misconfigured
}
