//go:build linux

package host

import "github.com/kubectl-wg/kubectl-wg/probe/evidence"

// Diversions returns what beside the routing tables can give pods' packets
// another way: statements of packet filters, filters of traffic control, IPsec
// policies. Reading one kind does not depend on another.
func (r Reader) Diversions(links []evidence.Link) ([]evidence.Diversion, []evidence.Inventory, []evidence.Problem) {
	var all []evidence.Diversion
	var inventories []evidence.Inventory
	var problems []evidence.Problem
	for _, read := range []func([]evidence.Link) ([]evidence.Diversion, evidence.Inventory, []evidence.Problem){
		r.nftables, r.iptables, r.trafficControl, r.xfrm,
	} {
		found, inventory, failed := read(links)
		all = append(all, found...)
		inventories = append(inventories, inventory)
		problems = append(problems, failed...)
	}
	return all, inventories, problems
}
