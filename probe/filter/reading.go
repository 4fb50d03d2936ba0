//go:build linux

package filter

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// chainName is where a chain is.
type chainName struct {
	family       uint8 // NFPROTO_*
	table, chain string
}

// version returns 4 or 6 for a table of one address family, else 0.
func (n chainName) version() int {
	switch n.family {
	case unix.NFPROTO_IPV4:
		return 4
	case unix.NFPROTO_IPV6:
		return 6
	}
	return 0
}

// rule is one rule of nf_tables or of iptables-legacy.
type rule struct {
	chainName
	body interface{ read(*reading) }
	// meanwhile: it came or went between two readings, and its place in the chain is
	// not known.
	meanwhile bool
}

// reading is what a rule does to the packets that reach it: it starts with the
// condition under which they do, and the rule's body narrows and fills it.
type reading struct {
	condition  condition
	statements []conditional
	decisions  []decision
	ends       bool // it takes packets out of the chain: accept, drop, return, goto, queue
	settles    bool // it takes all packets out of the chain that its conditions apply to
	hidden     bool // it has a condition that is not among its conditions
	mapped     bool // a verdict map decides
	byMap      proxyStep
	targetSets []string // that the target must be in, and that were not read
	packets    uint64

	// Of nf_tables.
	links     map[uint32]string               // names by index
	set       func(name string, of field) set // nil if no set is to be read
	registers map[uint32]register
}

// statement is what a rule does that can give a packet another way.
type statement struct {
	effect     string
	mark, mask uint32
	unknown    bool
	to         string
	port       uint16 // that packets get, see evidence.Diversion
	text       string
}

// conditional is a statement with the condition under which packets come to it:
// what stands behind it in the rule is not a condition of it.
type conditional struct {
	condition condition
	statement
}

// decision is where packets of a condition go on.
type decision struct {
	condition condition
	verdict
}

// verdict is a code with, for jump and goto, the chain.
type verdict struct {
	code  int32
	chain string
}

// Codes of verdicts: NF_* of linux/netfilter.h, NFT_* of
// linux/netfilter/nf_tables.h, and one of our own.
const (
	codeDrop     = 0
	codeAccept   = 1
	codeContinue = -1
	codeJump     = -3
	codeGoto     = -4
	codeReturn   = -5
	codeReject   = -100
)

// read reads a rule for packets of a condition.
func (r rule) read(reached condition, links map[uint32]string, set func(string, field) set) *reading {
	result := &reading{condition: reached, links: links, set: set}
	if version := r.version(); version != 0 {
		result.condition.family = version
	}
	r.body.read(result)
	return result
}

// glance reads a rule without its sets, which do not change what it does.
func (r rule) glance() *reading { return r.read(condition{}, nil, nil) }

// decide notes where packets of a condition go on.
func (r *reading) decide(v verdict, c condition) {
	if v.code == codeContinue {
		return
	}
	r.decisions = append(r.decisions, decision{c, v})
	r.ends = r.ends || v.code != codeJump
}

func markStatement(mark, mask uint32) statement {
	return statement{
		effect: evidence.EffectMark, mark: mark & mask, mask: mask, text: fmt.Sprintf("mark set 0x%x/0x%x", mark, mask),
	}
}

func unknownMark(mask uint32, text string) statement {
	return statement{effect: evidence.EffectMark, mask: mask, unknown: true, text: text}
}

// do adds a statement for the packets that come to it.
func (r *reading) do(s statement) { r.statements = append(r.statements, conditional{r.condition, s}) }

// add adds a statement that sends packets elsewhere.
func (r *reading) add(effect, text, to string) {
	if to != "" {
		text += " " + to
	}
	r.do(statement{effect: effect, to: to, text: text})
}
