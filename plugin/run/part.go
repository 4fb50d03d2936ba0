package run

import (
	"fmt"
	"strconv"
)

// BadPart is the error for a part that does not fit the nodes.
type BadPart struct {
	Part   string
	Nodes  int
	Each   int // to how many others each node would send, 0 for none
	AtMost int // that are allowed
}

func (e *BadPart) Error() string {
	if e.Each == 0 {
		return fmt.Sprintf("part %s of the directions between %d nodes has none", e.Part, e.Nodes)
	}
	return fmt.Sprintf("in part %s each of %d nodes sends to %d others, --pairs allows %d",
		e.Part, e.Nodes, e.Each, e.AtMost)
}

// Hint names how many parts fit.
func (e *BadPart) Hint() string {
	if e.Each == 0 {
		return fmt.Sprintf("at most %d parts have directions: use --part K/%[1]d", max(1, e.Nodes-1))
	}
	return fmt.Sprintf("use at least %d parts", (e.Nodes-1+e.AtMost-1)/e.AtMost)
}

// ExitCode is that of a usage error.
func (e *BadPart) ExitCode() int { return 2 }

// partFits returns BadPart if the part that is asked for has no pair, or has each
// node send to more others than Options.Pairs allows.
func partFits(o Options, each, nodes int) error {
	if o.Part == "" || nodes < 2 {
		return nil
	}
	atMost, err := strconv.Atoi(o.Pairs)
	if each == 0 || err == nil && each > atMost {
		return &BadPart{Part: o.Part, Nodes: nodes, Each: each, AtMost: atMost}
	}
	return nil
}
