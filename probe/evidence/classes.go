package evidence

import "net/netip"

// Class says between which ends a packet of the run travels that is not a canary from
// one test pod to another: to a Service, to or from a node itself. It is sent only
// where that was asked for (Run.Scope).
type Class string

// The classes. Of each the request travels as its name says and the answer back.
const (
	// ClassClusterIP: a pod sends to the cluster address of a Service whose only
	// endpoint is the test pod on the other node.
	ClassClusterIP Class = "pod-cluster-ip"
	// ClassNodePort: a pod sends to the Service's node port at the address of its own
	// node, which passes it on to the pod on the other node.
	ClassNodePort Class = "pod-node-port"
	// ClassNodePortFar: a pod sends to the Service's node port at the address of the
	// other node, where the test pod is: the first hop is to that node.
	ClassNodePortFar Class = "pod-node-port-far"
	// ClassPodNode: a pod sends to the address of the other node.
	ClassPodNode Class = "pod-node"
	// ClassNodePod: a program in the network of a node sends to the test pod on the
	// other node.
	ClassNodePod Class = "node-pod"
	// ClassNodeNode: a program in the network of a node sends to the address of the
	// other node.
	ClassNodeNode Class = "node-node"
	// ClassDNS: a pod asks a pod of the cluster's DNS on the other node. Nobody of the
	// run is there: the answer is the server's, which repeats the question.
	ClassDNS Class = "pod-dns"
	// ClassEnded: a pod sends to the address of the run's new pod on the other node after
	// that has ended, as peers of a pod do that is deleted. Nobody answers.
	ClassEnded Class = "pod-ended"
)

// The scopes of a run, see Run.Scope.
const (
	ScopePods     = "pods" // every run's
	ScopeServices = "services"
	ScopeHosts    = "hosts"
	ScopeDNS      = "dns"
	ScopeEnded    = "ended"
)

// Classes are all classes, each with the scope that it belongs to, in the order
// in which they are numbered in a marked packet, from 1.
var Classes = []struct {
	Class Class
	Scope string
}{
	{ClassClusterIP, ScopeServices},
	{ClassNodePort, ScopeServices},
	{ClassNodePortFar, ScopeServices},
	{ClassPodNode, ScopeHosts},
	{ClassNodePod, ScopeHosts},
	{ClassNodeNode, ScopeHosts},
	{ClassDNS, ScopeDNS},
	{ClassEnded, ScopeEnded},
}

// Number is that of a class in a marked packet, 0 if there is no such class.
func (c Class) Number() uint8 {
	for i := range Classes {
		if Classes[i].Class == c {
			return uint8(i + 1)
		}
	}
	return 0
}

// ClassNumbered returns the class of a number, "" if there is none.
func ClassNumbered(number uint8) Class {
	if number < 1 || int(number) > len(Classes) {
		return ""
	}
	return Classes[number-1].Class
}

// FromNode reports whether the probe sends the packets of a class, which is in the
// network of its node, and no test pod.
func (c Class) FromNode() bool { return c == ClassNodePod || c == ClassNodeNode }

// ToNode reports whether the probe answers the packets of a class.
func (c Class) ToNode() bool { return c == ClassPodNode || c == ClassNodeNode }

// DNSServer is a pod of the cluster's DNS.
type DNSServer struct {
	Node int            `json:"node"` // index of its node, which takes part
	Addr netip.AddrPort `json:"addr"` // where it answers, by UDP
}

// PodClassPort is the UDP port at which test pods answer packets of classes. It is
// the target port of the run's Services, so it is known before the pods are.
const PodClassPort = 9477

// Classed is what one agent knows of its packets of a class with another node.
// All are UDP datagrams; each attempt has a sequence of its own and counts once.
type Classed struct {
	Class    Class          `json:"class"`
	Peer     int            `json:"peer"` // index of the other node
	Family   int            `json:"family"`
	Addr     netip.AddrPort `json:"addr,omitzero"`      // to which it was sent
	Sent     uint32         `json:"sent,omitempty"`     // by this agent, repeats included
	Answered uint32         `json:"answered,omitempty"` // genuine answers that came back
	Received uint32         `json:"received,omitempty"` // genuine requests that came from Peer
	Error    string         `json:"error,omitempty"`    // the last error of sending
}

// ClassSeen counts the packets of a class that were seen on a link where they may
// be in clear: WireGuard's, or another tunnel's. Each counts once for a link and
// direction. What was seen of them on a link that leaves the host is a Sighting.
type ClassSeen struct {
	Class     Class  `json:"class"`
	Link      string `json:"link"`
	Direction string `json:"direction"` // tx enters the tunnel here, rx leaves it
	Source    int    `json:"source"`    // node index of whoever sent it
	Target    int    `json:"target"`
	Family    int    `json:"family"`
	Answer    bool   `json:"answer,omitempty"` // it answers a packet that went the other way
	Count     uint32 `json:"count"`
}

// ReachRequest makes an agent send packets of classes: each to its target, until
// one is answered or the attempts are used up.
type ReachRequest struct {
	Targets  []ReachTarget `json:"targets"`
	Attempts int           `json:"attempts"` // at least 1
	Timeout  int           `json:"timeout"`  // milliseconds, of all attempts together
}

// ReachTarget is where packets of a class go.
type ReachTarget struct {
	Class Class          `json:"class"`
	Index int            `json:"index"` // node index of who answers
	Addr  netip.AddrPort `json:"addr"`
}

// AnswerRequest makes an agent answer the packets of classes: a test pod at
// PodClassPort, a probe at a port that the kernel chooses, which is in the Ready.
type AnswerRequest struct {
	Families []int `json:"families"`
}
