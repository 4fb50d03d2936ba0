package evidence

import "net/netip"

// Run opens the plugin's stream: what was asked of this run. It holds no
// secret: the mark is public by its purpose, the run's key is never written.
type Run struct {
	ID      string `json:"id"`      // random suffix of the run's namespace
	Version string `json:"version"` // of the plugin
	// Revision is the commit that the plugin was built from, with -dirty if it was
	// changed; empty where that is not known.
	Revision string `json:"revision,omitempty"`
	Started  int64  `json:"started"` // nanoseconds since 1970, the plugin's clock
	// Minor is the minor version of the contract that the plugin asked for.
	Minor int    `json:"minor,omitempty"`
	Mark  string `json:"mark"` // hex, 16 random bytes
	// Ended is when the last reading was taken, by the plugin's clock as Started;
	// 0 if the run broke off before.
	Ended int64 `json:"ended,omitempty"`
	// Nodes is on how many nodes the run placed its pods; 0 in recordings of
	// earlier versions.
	Nodes int `json:"nodes,omitempty"`
	// Families under test: 4, 6 or both.
	Families []int `json:"families"`
	// Sizes are the UDP payload sizes of the canaries; 0 stands for the
	// largest that the pod's own link takes.
	Sizes []int `json:"sizes"`
	// Rungs are UDP payload sizes that were tried where the largest was lost.
	// That one of them is lost too is not a failure of its own.
	Rungs []int `json:"rungs,omitempty"`
	// Pairs are "all", "ring" or a number per node.
	Pairs string `json:"pairs,omitempty"`
	// Newcomers are the new pods that the run made, or tried to make, while
	// every link was watched.
	Newcomers []Newcomer `json:"newcomers,omitempty"`
	// Tries are the canaries that were made for single rules and statements.
	Tries []Try `json:"tries,omitempty"`
	// Scope is what was tested besides test pods to each other: ScopeServices,
	// ScopeHosts, ScopeDNS.
	Scope []string `json:"scope,omitempty"`
	// DNS are the pods of the cluster's DNS that were asked, where that is in Scope:
	// one on each node that has one, of a family.
	DNS []DNSServer `json:"dns,omitempty"`
	// Phases are what the plugin did one after the other; none in recordings of earlier
	// versions.
	Phases []Phase `json:"phases,omitempty"`
}

// Phase is one phase of a run, in milliseconds of the plugin's clock.
type Phase struct {
	Name  string `json:"name"`
	Began int64  `json:"began"` // after Run.Started
	Took  int64  `json:"took"`
}

// Newcomer is a pod that sends from its first moment on.
type Newcomer struct {
	Node    int   `json:"node"`    // index of its node
	Targets []int `json:"targets"` // indexes of the nodes whose test pods it sends to
}

// Cluster is what the API says of the whole cluster and its CNI.
type Cluster struct {
	Version      string `json:"version"`                // of the API server
	Distribution string `json:"distribution,omitempty"` // k3s, rke2, or empty
	// Context is what the operator's kubeconfig calls the cluster, never with the
	// name of a user in it; Server is the API server's address, scheme, host and
	// port. Both are empty in recordings of earlier versions.
	Context string `json:"context,omitempty"`
	Server  string `json:"server,omitempty"`
	// UID is that of the namespace kube-system, which is made once in a cluster's life;
	// User is who ran this, as the API server knows them. Either is empty where it may
	// not be read, and in recordings of earlier versions.
	UID  string `json:"uid,omitempty"`
	User string `json:"user,omitempty"`
	// NodeLabels are the names of the labels that Node.Labels holds of each node that
	// has them; nil in recordings of earlier versions, which say nothing of others.
	NodeLabels []string `json:"nodeLabels,omitempty"`
	// Objects are the CNI's own configuration, by "kind/namespace/name", cut
	// to what the profiles read.
	Objects map[string]map[string]string `json:"objects,omitempty"`
}

// Node is one node as the API shows it. Index numbers the nodes of the run
// from 0 and is what Canary, Sighting and Witness refer to; a node that does
// not take part has index -1 and a reason.
type Node struct {
	Index       int               `json:"index"`
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`      // those a profile or a hint reads
	Annotations map[string]string `json:"annotations,omitempty"` // those of the CNI and of k3s/rke2
	Addresses   []NodeAddress     `json:"addresses,omitempty"`
	// PodCIDRs are where the node's pods are, as far as an API says so; IPAM is what
	// assigns them. Addresses of pods are not bound to them with every network.
	PodCIDRs []netip.Prefix `json:"podCIDRs,omitempty"`
	IPAM     string         `json:"ipam,omitempty"` // IPAMCalico, IPAMCilium; empty for Node.spec
	// RangesLeft is how many more ranges there are, for which the message has no room.
	RangesLeft int `json:"rangesLeft,omitempty"`
	// NodeEncryption: the CiliumNode has others encrypt what they send to the node
	// itself, where they encrypt that (spec.encryption.key is not 0). Nil if there is
	// none, and in recordings of earlier versions.
	NodeEncryption *bool  `json:"nodeEncryption,omitempty"`
	Kubelet        string `json:"kubelet,omitempty"`
	OSImage        string `json:"osImage,omitempty"`
	Kernel         string `json:"kernel,omitempty"`
	Runtime        string `json:"runtime,omitempty"`
	OS             string `json:"os,omitempty"`
	Arch           string `json:"arch,omitempty"`
	Ready          bool   `json:"ready"`
	// NotReady is the reason and the message of the condition Ready where it does
	// not hold; empty in recordings of earlier versions.
	NotReady string `json:"notReady,omitempty"`
	Cordoned bool   `json:"cordoned,omitempty"`
	// Excluded is why the node does not take part. Chosen says that the
	// operator left it out on purpose; otherwise the run cannot pass.
	Excluded string `json:"excluded,omitempty"`
	Chosen   bool   `json:"chosen,omitempty"`
}

// What assigns pod ranges to nodes besides Kubernetes itself.
const (
	IPAMCalico = "calico" // Calico's blocks, of its BlockAffinity objects
	IPAMCilium = "cilium" // the CiliumNode's spec.ipam
)

// NodeAddress is one of a node's status addresses.
type NodeAddress struct {
	Type string `json:"type"` // InternalIP, ExternalIP, Hostname
	Addr string `json:"addr"`
}

// Pod is one pod of the run once it was Ready, or the last that was seen of it.
type Pod struct {
	// Role is "probe", "pod", "newcomer", "trial" or "logs"; or "sample", which is not a pod, but
	// an address of each of the node's pod ranges that stands for its pods where there is no
	// test pod.
	Role  string       `json:"role"`
	Node  string       `json:"node"`
	Name  string       `json:"name"`
	IPs   []netip.Addr `json:"ips,omitempty"`
	Ready bool         `json:"ready"`
	// Wait is the time from creation until Ready, milliseconds on the plugin's clock.
	Wait int64 `json:"wait,omitempty"`
	// Pass is 2 when the pod was placed again with what a userspace device needs.
	Pass int `json:"pass,omitempty"`
	// Image is what its container runs, with its digest, as the node's runtime says it
	// (status.containerStatuses[].imageID); empty in recordings of earlier versions.
	Image string `json:"image,omitempty"`
	// Ended reports that all its containers had ended, with success, and its network with
	// them, when this was recorded: a new pod's do when it has sent its first packets.
	Ended bool `json:"ended,omitempty"`
}

// MeshesObject is the name in Cluster.Objects of what was counted over all
// namespaces: how many have which label or annotation that has a mesh encrypt what
// their pods send.
const MeshesObject = "Namespaces//meshes"
