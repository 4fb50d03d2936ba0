package perf

import "github.com/kubectl-wg/kubectl-wg/plugin/verdict"

// Cause explains a slow tunnel.
type Cause struct {
	Code  string `json:"code"`
	Title string `json:"title"` // what is so
	Node  string `json:"node"`
	Text  string `json:"text"`
	Hint  string `json:"hint"`
}

// slow is the ratio below which a tunnel is slow.
const slow = 0.9

// row is one cause that is looked for.
type row struct {
	code   string
	title  string // what is so where it is not found; "" if a verification judges it too
	failed string // what is so where it is
	why    string
	reads  string
	hint   string
	always bool // it is worth knowing whatever the ratio is
	// find says what was found on a node, "" for nothing.
	find func(m *measured, n *Node) string
}

// rows are all causes that are looked for, in the order of their codes.
var rows = []row{
	{
		code:   "WG0701",
		failed: "userspace WireGuard: encrypted, but slower",
		hint: "load the kernel's module (modprobe wireguard) and restart the network plugin; " +
			"see kubectl wg explain WG0701",
		find: (*measured).userspace,
	},
	{
		code:   "WG0703",
		title:  "the tunnel's packets fit the network below it",
		failed: "the tunnel's packets are fragmented",
		why: "A tunnel whose MTU is larger than what the network below it carries makes two packets of each " +
			"full one, or loses it.",
		reads: "the MTU of the WireGuard device and of the link below it, the kernel's counters of fragments",
		hint: "set the tunnel's MTU to that of the network below it less 80, and restart the pods; " +
			"if a path carries less than its links, less 80 of what that carries",
		always: true,
		find:   (*measured).fragmented,
	},
	{
		code:   "WG0704",
		title:  "the tunnel's MTU uses what the network below it carries",
		failed: "the tunnel's MTU is small",
		why: "Every packet costs encryption and headers; smaller packets are more packets for the same " +
			"bytes.",
		reads: "the MTU of the WireGuard device and of the link below it",
		hint: "set the tunnel's MTU to that of the network below it less 80, if all paths carry that, " +
			"and restart the pods",
		find: (*measured).small,
	},
	{
		code:   "WG0705",
		title:  "the processors have room while the tunnel is full",
		failed: "the processors are the limit",
		why: "Encryption takes processor time. Where there is none left, the tunnel is as fast as the " +
			"processors.",
		reads: "/proc/stat while the tunnel was measured",
		hint: "more or faster processors, or less else on the node; " +
			"the kernel's WireGuard takes less than a userspace one",
		find: (*measured).busy,
	},
	{
		code:   "WG0706",
		title:  "the load is spread over the processors",
		failed: "one processor is the limit",
		why: "All packets between two nodes are one UDP flow, which a network card hands to one queue, and " +
			"that to one processor.",
		reads: "/proc/stat of each processor while the tunnel was measured, " +
			"the queues of the link below the tunnel",
		hint: "spread what is received over the processors (rps_cpus of the link's queues, more queues by " +
			"ethtool -L); a virtual network card with one queue needs more of them",
		find: (*measured).single,
	},
	{
		code:   "WG0707",
		title:  "offloads of the links are on",
		failed: "offloads are off",
		why: "Segmentation and receive offload move many packets at once; without them each one passes the " +
			"stack by itself.",
		reads: "the settings of the WireGuard device and of the link below it (ethtool -k)",
		hint: "turn them on, e.g. ethtool -K LINK gro on gso on tso on, " +
			"unless they are off because of a fault of the driver",
		find: (*measured).offloads,
	},
	{
		code:   "WG0708",
		title:  "the tunnel loses no more than the network below it",
		failed: "packets are lost in the tunnel",
		why:    "TCP slows down with every loss, whatever the links could carry.",
		reads: "TCP's retransmits on both paths, " +
			"frames that the kernel dropped because a processor did not keep up",
		hint: "see what else kubectl wg perf names, above all full processors; " +
			"larger receive queues (net.core.netdev_max_backlog)",
		find: (*measured).lossy,
	},
	{
		code:   "WG0709",
		title:  "what measures was not the limit",
		failed: "the test itself may be the limit",
		why: "A test pod may use one processor, a probe two. Figures that reach that limit are the least " +
			"that the path carries.",
		reads:  "cpu.stat of the agents' control groups",
		hint:   "read the figures as a lower bound; more streams between more nodes show more",
		always: true,
		find:   (*measured).throttled,
	},
}

// Checks returns what this package adds to the table of checks, for explain.
func Checks() (all []verdict.Check) {
	for _, r := range rows {
		if r.title == "" {
			continue
		}
		all = append(all, verdict.Check{
			Code: r.code, Title: r.title, Failed: r.failed, Why: r.why, Reads: r.reads,
			Advice: true, // a verification measures nothing
		})
	}
	return all
}

// Hint is what to do about a code, "" if it is none of Checks.
func Hint(code string) string {
	for _, r := range rows {
		if r.code == code {
			return r.hint
		}
	}
	return ""
}

// causes returns what explains a slow tunnel. If the ratio is not known, whatever
// could.
func causes(r *Result, samples []Sample) (some []Cause) {
	m := &measured{r, samples}
	for _, row := range rows {
		if r.Ratio >= slow && !row.always {
			continue
		}
		for i := range r.Nodes {
			n := &r.Nodes[i]
			if text := row.find(m, n); text != "" {
				some = append(some, Cause{Code: row.code, Title: row.failed, Node: n.Name, Text: text, Hint: row.hint})
			}
		}
	}
	return some
}
