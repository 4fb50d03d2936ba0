// Package vm is the lab's second ground: one QEMU machine with Debian's own kernel, for hosts whose kernel has no
// WireGuard. It boots that kernel over the host's own files and runs one command in it.
//
//	host                                      QEMU
//	┌ switch namespace ───────────┐           ┌ Debian kernel, the host's files ────────────┐
//	│ bridge ── tap ───────────── │ ── eth0 ──│── for the command: the nodes' layer 2       │
//	└─────────────────────────────┘           │ / = tmpfs over the host's /, read-only (9p) │
//	Dir, Shared ─────────── 9p, writable ─────│ Dir, Shared under the same paths            │
//	                                          └─────────────────────────────────────────────┘
//
// It must not know what runs inside: no Kubernetes, no nodes, no addresses of the lab. QEMU runs in the switch
// namespace and has no user-mode network, so nothing in the machine can reach a network outside of it.
package vm
