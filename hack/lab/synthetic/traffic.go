package synthetic

// What the test pods of two nodes exchange: each canary is sent once and answered, over UDP in every size of the run. TCP
// has a canary and an answer of each size too, whose ciphertext is stood for by one message of segmentSize in each direction;
// there is no ICMP, which the pods say is not permitted.
const (
	// perSize is how many datagrams of each size go each way: a canary, and the answer to the other's.
	perSize = 2
	// segmentSize and firstSize are those of the data messages that carry the segment of TCP and a new pod's first packet,
	// in bytes.
	segmentSize = 160
	firstSize   = 128
	// initiations are sent in each direction by two nodes that do not agree about a key, of initiationSize bytes
	// (linux drivers/net/wireguard/messages.h).
	initiations    = 3
	initiationSize = 148
)

// traffic is what passes between nodes in one run.
type traffic struct {
	mark []byte // of the run
	// sizes are those of the data messages that canaries become, as the plugin asks to count them.
	sizes []int
}

// messages are the sizes of the data messages that one node sends to another, in order.
func (t *traffic) messages(w *World, from, to int) []int {
	if w.cut(from, to) || w.leaks(from, to) {
		return nil
	}
	all := make([]int, 0, perSize*len(t.sizes)+1)
	for _, size := range t.sizes {
		for range perSize {
			all = append(all, size)
		}
	}
	packets, answers := w.first(t.mark, from, to)
	for range packets + answers {
		all = append(all, firstSize)
	}
	return append(all, segmentSize)
}

// bytes is by how much a device's counter for a peer grows.
func (t *traffic) bytes(w *World, from, to int) (sum uint64) {
	if w.cut(from, to) {
		return initiations * initiationSize
	}
	for _, size := range t.messages(w, from, to) {
		sum += uint64(size)
	}
	return sum
}

// canaries are how many UDP datagrams of pods enter a node's tunnel for another and leave it there.
func (t *traffic) canaries(w *World, from, to int) (entered, left int) {
	switch {
	case w.leaks(from, to):
		return 0, 0
	case w.cut(from, to):
		return attempts * len(t.sizes), 0
	}
	return perSize * len(t.sizes), perSize * len(t.sizes)
}

// attempts is how often an unanswered canary is sent; those that are answered, once.
const attempts = 3

// full is the largest payload of a canary in a pod.
const full = TunnelMTU - 28
