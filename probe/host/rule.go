//go:build linux

package host

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// What a register of the rule's little machine holds.
const (
	holdsOther = iota
	holdsProtocol
	holdsTarget // the destination port
	holdsIn     // the name of the link it arrives on
	holdsOut
)

// span is a range of ports, both ends included.
type span struct{ from, to uint16 }

// readRule is a rule as far as this program understands it.
type readRule struct {
	notUDP  bool   // it is for another protocol
	ports   []span // destination ports, nil = any
	bounded bool   // it has a condition on the destination port
	others  bool   // it has conditions besides the ports
	effect  string // drop, accept, or empty
	jumps   []string
	packets uint64
	words   []string
}

// read interprets a rule. Conditions it does not know are shown as "…".
func (w *filterWalk) read(rule *nftables.Rule) readRule {
	var r readRule
	registers := make(map[uint32]int)
	for _, e := range rule.Exprs {
		switch e := e.(type) {
		case *expr.Meta:
			registers[e.Register] = map[expr.MetaKey]int{expr.MetaKeyL4PROTO: holdsProtocol,
				expr.MetaKeyIIFNAME: holdsIn, expr.MetaKeyOIFNAME: holdsOut}[e.Key]
		case *expr.Payload:
			registers[e.DestRegister] = loads(e, rule.Table.Family)
		case *expr.Cmp:
			r.compare(registers[e.Register], e)
		case *expr.Range:
			if registers[e.Register] == holdsTarget && len(e.FromData) == 2 && len(e.ToData) == 2 {
				r.restrict(e.Op == expr.CmpOpNeq, span{port(e.FromData), port(e.ToData)})
			} else {
				r.other("…")
			}
		case *expr.Lookup:
			if registers[e.SourceRegister] == holdsTarget {
				r.lookup(w.elements(rule.Table, e), e, w.ports)
			} else {
				r.other("…")
			}
		case *expr.Match:
			r.match(e)
		case *expr.Counter:
			r.packets = e.Packets
		case *expr.Log, *expr.Immediate:
		case *expr.Verdict:
			r.verdict(e)
		case *expr.Reject:
			r.effect, r.words = "drop", append(r.words, "reject")
		case *expr.Target:
			if e.Name == "REJECT" {
				r.effect, r.words = "drop", append(r.words, "reject")
			}
		default:
			r.other("…")
		}
	}
	return r
}

// loads says what of a packet a payload expression loads.
func loads(e *expr.Payload, family nftables.TableFamily) int {
	switch {
	case e.Base == expr.PayloadBaseTransportHeader && e.Offset == 2 && e.Len == 2:
		return holdsTarget
	case e.Base == expr.PayloadBaseNetworkHeader && e.Offset == 9 && e.Len == 1 && family == nftables.TableFamilyIPv4,
		e.Base == expr.PayloadBaseNetworkHeader && e.Offset == 6 && e.Len == 1 && family == nftables.TableFamilyIPv6:
		return holdsProtocol
	}
	return holdsOther
}

func (r *readRule) compare(what int, e *expr.Cmp) {
	negated := e.Op == expr.CmpOpNeq
	switch {
	case what == holdsProtocol && len(e.Data) == 1:
		if (e.Data[0] == unix.IPPROTO_UDP) == negated {
			r.notUDP = true
		}
	case what == holdsTarget && len(e.Data) == 2:
		switch n := port(e.Data); e.Op {
		case expr.CmpOpLt:
			r.restrict(n == 0, span{0, n - 1})
		case expr.CmpOpLte:
			r.restrict(false, span{0, n})
		case expr.CmpOpGt:
			r.restrict(n == 65535, span{n + 1, 65535})
		case expr.CmpOpGte:
			r.restrict(false, span{n, 65535})
		default:
			r.restrict(negated, span{n, n})
		}
	case what == holdsIn || what == holdsOut:
		word := map[int]string{holdsIn: "iifname", holdsOut: "oifname"}[what]
		r.other(fmt.Sprintf("%s %s%q", word, map[bool]string{true: "!= "}[negated], bytes.TrimRight(e.Data, "\x00")))
	default:
		r.other("…")
	}
}

// restrict adds a condition on the destination port to those there are.
func (r *readRule) restrict(negated bool, spans ...span) {
	if negated {
		spans = complement(spans)
	}
	if !r.bounded {
		r.bounded, r.ports = true, spans
		r.words = append(r.words, portsHere)
		return
	}
	var both []span
	for _, a := range r.ports {
		for _, b := range spans {
			if s := (span{max(a.from, b.from), min(a.to, b.to)}); s.from <= s.to {
				both = append(both, s)
			}
		}
	}
	r.ports = both
}

// complement returns the ports in none of the spans, which are in order.
func complement(spans []span) []span {
	var rest []span
	next := 0
	for _, s := range spans {
		if int(s.from) > next {
			rest = append(rest, span{uint16(next), s.from - 1})
		}
		next = int(s.to) + 1
	}
	if next <= 65535 {
		rest = append(rest, span{uint16(next), 65535})
	}
	return rest
}

// portsHere holds the place of the ports in the text until all are known.
const portsHere = "\x00"

func (r *readRule) portsText() string {
	var list []string
	for _, s := range r.ports[:min(len(r.ports), 8)] {
		if s.from == s.to {
			list = append(list, fmt.Sprint(s.from))
		} else {
			list = append(list, fmt.Sprintf("%d-%d", s.from, s.to))
		}
	}
	text := strings.Join(list, ", ")
	if len(r.ports) > len(list) {
		text += ", …"
	}
	if len(list) != 1 {
		text = "{ " + text + " }"
	}
	return "udp dport " + text
}

func (r *readRule) verdict(v *expr.Verdict) {
	switch v.Kind {
	case expr.VerdictDrop:
		r.effect, r.words = "drop", append(r.words, "drop")
	case expr.VerdictAccept:
		r.effect, r.words = "accept", append(r.words, "accept")
	case expr.VerdictJump, expr.VerdictGoto:
		r.jumps = append(r.jumps, v.Chain)
	}
}

func (r *readRule) other(text string) {
	r.others = true
	if n := len(r.words); n == 0 || r.words[n-1] != text {
		r.words = append(r.words, text)
	}
}

// concerns tells whether the rule decides about one of the ports, and which: 0
// for a rule that drops everything.
func (r *readRule) concerns(ports []uint16) (uint16, bool) {
	switch {
	case r.notUDP || r.effect == "":
		return 0, false
	case !r.bounded:
		return 0, !r.others && r.effect == "drop"
	}
	for _, p := range ports {
		if slices.ContainsFunc(r.ports, func(s span) bool { return s.from <= p && p <= s.to }) {
			return p, true
		}
	}
	return 0, false
}

func (r *readRule) text() string {
	text := strings.ReplaceAll(strings.Join(r.words, " "), portsHere, r.portsText())
	return strings.ToValidUTF8(text[:min(len(text), 200)], "")
}

func port(data []byte) uint16 { return binary.BigEndian.Uint16(data) }
