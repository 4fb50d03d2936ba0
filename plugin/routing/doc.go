// Package routing answers, from what was read of one node, which ways its
// kernel gives to the packets of the node's pods: a symbolic walk of policy
// routing over all rules, tables, next hops and marks. It is pure, and it
// knows no cluster and no verdict: what a way means is for its caller to say.
//
// What it follows, by the kernel's own sources:
//
//   - rules: net/core/fib_rules.c (fib_rules_lookup, fib_rule_match),
//     net/ipv4/fib_rules.c, net/ipv6/fib6_rules.c
//   - tables: net/ipv4/fib_trie.c (fib_table_lookup), net/ipv6/route.c
//   - what a forwarded packet is asked with: ip_route_input_slow of
//     net/ipv4/route.c, ip6_route_input of net/ipv6/route.c
package routing
