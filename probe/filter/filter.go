//go:build linux

// Package filter reads what can drop packets, or give them another way than the
// routing tables: nf_tables, iptables-legacy, traffic control with its BPF
// programs, IPsec policies. It keeps the statements that bear on pods' packets
// or on the tunnel's UDP ports, each with the conditions that lead to it, those too
// that came and went between two readings, and reports what it could not read. It must not change anything, must not
// make the kernel load a module, and does not judge what it read.
package filter

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/kernel"
)

// Reader reads packet filters. Its zero value reads the real ones.
type Reader struct {
	Root  kernel.Root
	pods  []netip.Prefix // see Diversions
	ends  []netip.Addr
	watch *Watch // nil if nothing is watched
}

// native is the byte order of netlink's numbers.
var native = binary.NativeEndian

// maxDiversions bounds the statements of one kind of filter that are reported.
const maxDiversions = 512

// result is what a reader of one kind of filter found.
type result struct {
	diversions []evidence.Diversion
	between    []evidence.Diversion // with what was there between two readings only
	count      int                  // how many rules, filters or policies the kernel listed
	lacking    string               // why not all of them were read, empty if they were
	note       string               // a remark that does not make it incomplete
}

// limit drops what is more than is reported of one kind.
func (r *result) limit(most int, kind string) {
	if len(r.diversions) > most {
		r.lacking = fmt.Sprintf("%d %s, more than the %d that are reported", len(r.diversions), kind, most)
		r.diversions = r.diversions[:most]
	}
}

// Diversions returns what can give pods' packets another way than the routing
// tables: statements of packet filters, filters of traffic control, IPsec
// policies. Each inventory reports whether all of its kind was read; reading one
// kind does not depend on another. pods are where pods of any node can be; what an
// overlay sends to one of the ends is not reported. After the watch was closed, what
// it heard of is reported too; nil watches nothing.
func (r Reader) Diversions(
	links []evidence.Link, pods []netip.Prefix, ends []netip.Addr, watch *Watch,
) ([]evidence.Diversion, []evidence.Inventory, []evidence.Problem) {
	r.pods = pods
	r.ends = ends
	r.watch = watch
	var all []evidence.Diversion
	var inventories []evidence.Inventory
	var problems []evidence.Problem
	for _, kind := range []struct {
		inventory     string
		collector, on string
		read          func([]evidence.Link) (result, error)
	}{
		{evidence.InventoryNftables, "firewall", "nftables", r.nftables},
		{evidence.InventoryIptables, "firewall", "iptables", r.iptables},
		{evidence.InventoryTC, "diversion", "tc", r.trafficControl},
		{evidence.InventoryXFRM, "diversion", "xfrm", r.xfrm},
		{evidence.InventoryFDB, "diversion", "fdb", r.forwarding},
		{evidence.InventoryIPVS, "diversion", "ipvs", r.virtualServers},
	} {
		found, err := kind.read(links)
		if err != nil {
			found.lacking = err.Error()
			problems = append(problems, kernel.Problem(kind.collector, kind.on, err))
		}
		found.diversions = append(found.diversions, r.meanwhile(kind.inventory, &found)...)
		text := strings.TrimSpace(found.lacking + " " + found.note)
		inventories = append(inventories, evidence.Inventory{
			What: kind.inventory, Count: found.count, Complete: found.lacking == "", Text: text,
		})
		all = append(all, found.diversions...)
	}
	return all, inventories, problems
}

// meanwhile returns the statements of a kind that no reading found, at the last one.
func (r Reader) meanwhile(inventory string, found *result) []evidence.Diversion {
	if r.watch == nil {
		return nil
	}
	r.watch.note(found.diversions)
	if !r.watch.closed {
		return nil
	}
	between := r.watch.between(found.between)
	missed := r.watch.missed(inventory, found.note == "")
	if len(between) > maxDiversions {
		missed = fmt.Sprintf("%d statements came or went, more than the %d that are reported",
			len(between), maxDiversions)
		between = between[:maxDiversions]
	}
	found.lacking = cmp.Or(found.lacking, missed)
	return between
}

// bounded keeps a diversion below the limit of a message: conditions that do
// not fit are named as such.
func bounded(d evidence.Diversion) evidence.Diversion {
	const limit = evidence.MaxMessage - 512
	if line, err := json.Marshal(d); err != nil || len(line) > limit {
		d.Selector = evidence.Selector{Other: []string{"more conditions than can be reported"}}
		d.Rule = d.Rule[:min(len(d.Rule), 100)]
	}
	return d
}

// shown renders a statement with its conditions for a reader.
func shown(s evidence.Selector, statement string) string {
	var words []string
	for _, part := range []struct {
		word string
		list any
	}{
		{"from", s.From}, {"not from", s.NotFrom}, {"to", s.To}, {"not to", s.NotTo},
		{"iif", s.In}, {"not iif", s.NotIn}, {"oif", s.Out}, {"not oif", s.NotOut},
		{"protocol", s.Protocol}, {"sport", strings.Join(portTexts(s.Source), ",")},
		{"dport", strings.Join(portTexts(s.Target), ",")}, {"dscp", s.DSCP},
	} {
		if text := strings.Trim(fmt.Sprint(part.list), "[]"); text != "" {
			words = append(words, part.word+" "+text)
		}
	}
	if s.MarkMask != 0 {
		words = append(words, fmt.Sprintf("mark 0x%x/0x%x", s.MarkIs, s.MarkMask))
	}
	for _, other := range s.Other {
		words = append(words, "("+other+")")
	}
	text := strings.Join(append(words, statement), " ")
	return strings.ToValidUTF8(text[:min(len(text), maxRule)], "")
}

func portTexts(ports []evidence.Ports) (list []string) {
	for _, p := range ports {
		text := fmt.Sprint(p.From)
		if p.From != p.To {
			text = fmt.Sprintf("%d-%d", p.From, p.To)
		}
		list = append(list, text)
	}
	return list
}
