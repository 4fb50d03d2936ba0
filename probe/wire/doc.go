// Package wire recognises what one frame is: a WireGuard message, an
// encapsulation, a pod's traffic in clear, a control. It sums what a capture saw
// as evidence.
//
// It is pure: bytes and what is known of the run go in, messages come out. It
// opens no socket, reads no clock and judges nothing. A leak of the run's own
// packets is searched for in the raw bytes of the whole frame, never by way of
// decoded headers; those only name what was found. Packets of other pods, of
// which nothing is known but their nodes' ranges, are found in decoded headers.
package wire
