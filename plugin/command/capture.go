package command

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-wg/kubectl-wg/plugin/pcap"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// captureFlags are the flags of capture.
type captureFlags struct {
	placementFlags
	write      string
	leaks, all bool
	payload    bool
	peer       string
	ports      []string
	snap       int
	duration   time.Duration
	count      int
	rotateSize string
	rotateKeep int
}

// The bounds of --snaplen, in bytes: a data message's header and tag behind the
// longest headers of others, and what one message of a probe carries. A handshake
// message is whole with the default.
const (
	minSnap     = 128
	defaultSnap = 256
	maxSnap     = evidence.MaxFrameData
)

// maxCapture is how long a capture may go on.
const maxCapture = 24 * time.Hour

func (r *root) capture() *cobra.Command {
	var f captureFlags
	command := &cobra.Command{
		Use:        "capture [NODE[:INTERFACE] …]",
		SuggestFor: []string{"tcpdump", "dump", "sniff", "pcap"},
		Short:      "Capture the WireGuard packets of nodes, for Wireshark or as text",
		Long: `Capture packets on nodes, and write them to one pcapng file or print a line for
each. Nothing has to be installed on a node, and several nodes and interfaces
are merged in the order of time, by each node's own clock.

Captured are, by default, the datagrams on the WireGuard ports of the nodes, on
all interfaces that leave them. On an interface that is named and does not leave
its node, as a WireGuard device, all packets are captured. :INTERFACE without a
node is that interface of every node.

WireGuard messages are kept up to --snaplen. Of all other packets only the
headers are kept, unless --payload asks for more. What the nodes could not keep
up with is counted, reported at the end, and stands in the file's statistics.`,
		Example: `  # The WireGuard packets of all nodes, a line for each.
  kubectl wg capture

  # Those of two nodes, live in Wireshark.
  kubectl wg capture node1 node2 -w - | wireshark -k -i -

  # What leaves or reaches a node of the pods' packets outside the tunnel.
  kubectl wg capture node1 --leaks

  # Inside and outside of the tunnel at once, to a file, for a minute.
  kubectl wg capture node1:flannel-wg node1:eth0 -w tunnel.pcapng --duration 1m

  # What node1 exchanges with node2, in at most 5 files of 100 MB.
  kubectl wg capture node1 --peer node2 -w trace.pcapng --rotate-size 100M --rotate-keep 5`,
		ValidArgsFunction: r.completeNodeArguments,
		RunE: func(command *cobra.Command, args []string) error {
			if err := emptyFlag(command); err != nil {
				return err
			}
			c, err := r.newCapture(&f, args)
			if err != nil {
				return err
			}
			err = r.observe(command.Context(), c.options, c.use)
			if notLeft := c.unused(); notLeft != nil {
				return errors.Join(err, notLeft)
			}
			return err
		},
	}
	flags := command.Flags()
	r.addPlacementFlags(command, &f.placementFlags, "limit for starting the probes and reading the nodes")
	flags.StringVarP(&f.write, "write", "w", "", "write pcapng to this `file`, - for stdout, instead of printing lines")
	flags.BoolVar(&f.leaks, "leaks", false, "capture only packets of pods to other nodes' pods in clear")
	flags.BoolVar(&f.all, "all", false, "capture all packets, except TCP on the ports by which the capture itself travels")
	flags.BoolVar(&f.payload, "payload", false, "keep also what pods and hosts say in clear, up to --snaplen")
	flags.StringVar(&f.peer, "peer", "", "capture only what is exchanged with this `node` or its pods")
	flags.StringSliceVar(&f.ports, "ports", nil, "UDP ports of WireGuard, besides those of the nodes' own devices")
	flags.IntVar(&f.snap, "snaplen", defaultSnap, fmt.Sprintf("bytes to keep of a packet, %d to %d", minSnap, maxSnap))
	flags.DurationVar(&f.duration, "duration", 0, "end after this time (default when interrupted, 24h at the latest)")
	flags.IntVarP(&f.count, "count", "c", 0, "end after so many packets")
	flags.StringVar(&f.rotateSize, "rotate-size", "", "begin another file at this size, e.g. 100M; with -w FILE")
	flags.IntVar(&f.rotateKeep, "rotate-keep", 10, "keep the newest files only, so many")
	command.RegisterFlagCompletionFunc("peer", r.completeNodes)
	return command
}

// completeNodeArguments completes the names of nodes as arguments.
func (r *root) completeNodeArguments(
	command *cobra.Command, args []string, typed string,
) ([]string, cobra.ShellCompDirective) {
	names, directive := r.completeNodes(command, args, typed)
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(args, name) })
	return names, directive
}

// capture is one capture, as it was asked for.
type capture struct {
	root     *root
	options  run.Options
	wanted   pcap.Options
	links    map[string][]string // by node, "" for every node
	duration time.Duration
	count    int
	sink     sink
}

// newCapture validates flags and arguments.
func (r *root) newCapture(f *captureFlags, args []string) (*capture, error) {
	if err := r.validateCapture(f); err != nil {
		return nil, err
	}
	c := &capture{root: r, duration: f.duration, count: f.count, links: make(map[string][]string)}
	nodes, err := c.place(args)
	if err != nil {
		return nil, err
	}
	f.nodes = append(f.nodes, nodes...)
	if c.options, err = r.placementOptions(&f.placementFlags); err != nil {
		return nil, err
	}
	c.options.Roles = []string{run.RoleProbe}
	c.options.Lasts = maxCapture
	if f.duration > 0 {
		c.options.Lasts = f.duration + time.Minute
	}
	c.wanted = pcap.Options{
		Pick: f.pick(), Snap: f.snap, Payload: f.payload, Peer: f.peer, Without: r.ownPorts(),
	}
	if c.wanted.Ports, err = udpPorts(f.ports); err != nil {
		return nil, err
	}
	c.sink, err = r.captureSink(f)
	return c, err
}

func (f *captureFlags) pick() string {
	switch {
	case f.leaks:
		return evidence.PickLeaks
	case f.all:
		return evidence.PickAll
	}
	return evidence.PickWireGuard
}

func (r *root) validateCapture(f *captureFlags) error {
	switch {
	case f.leaks && f.all:
		return usagef("omit one of them", "--leaks and --all exclude each other")
	case f.snap < minSnap || f.snap > maxSnap:
		return usagef("", "--snaplen %d is not between %d and %d", f.snap, minSnap, maxSnap)
	case f.duration < 0 || f.duration > maxCapture:
		return usagef("", "--duration %s is not between 0 and %s", f.duration, maxCapture)
	case f.count < 0:
		return usagef("", "--count is negative")
	case f.write == "-" && terminal(r.streams.Out):
		return usagef("e.g. kubectl wg capture -w - | wireshark -k -i -", "-w - would write binary data to the terminal")
	case f.rotateSize != "" && (f.write == "" || f.write == "-"):
		return usagef("name a file with -w", "--rotate-size needs -w FILE")
	case f.rotateKeep < 1:
		return usagef("", "--rotate-keep is less than 1")
	}
	return nil
}

// maxInterfaceName is the longest name of a link, IFNAMSIZ less its end.
const maxInterfaceName = 15

// place reads the arguments: which links of which nodes. It returns the nodes.
func (c *capture) place(args []string) (nodes []string, err error) {
	for _, arg := range args {
		node, link, named := strings.Cut(arg, ":")
		if named && (link == "" || len(link) > maxInterfaceName || strings.ContainsAny(link, "/ \t\n")) {
			return nil, usagef("NODE, NODE:INTERFACE or :INTERFACE", "%q does not name an interface", arg)
		}
		if node != "" {
			nodes = append(nodes, node)
		}
		if named && !slices.Contains(c.links[node], link) {
			c.links[node] = append(c.links[node], link)
		}
	}
	return nodes, nil
}

// linksOf returns the links to capture on a node, none for those that leave it.
func (c *capture) linksOf(node string) []string { return slices.Concat(c.links[node], c.links[""]) }

func udpPorts(texts []string) (ports []uint16, err error) {
	for _, text := range texts {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return nil, usagef("numbers from 1 to 65535, e.g. 51820", "--ports: %q is not a valid port", text)
		}
		ports = append(ports, uint16(port))
	}
	return ports, nil
}

// ownPorts are TCP ports by which the capture itself travels: to capture that
// would make more to capture. They are those of kubelets, of API servers, of RKE2's
// supervisor (through which its and K3s' agents are reached), and of the server in the kubeconfig.
func (r *root) ownPorts() []uint16 {
	ports := []uint16{10250, 6443, 9345}
	_, server := r.identity()
	if address, err := url.Parse(server); err == nil {
		if port, err := strconv.ParseUint(address.Port(), 10, 16); err == nil && !slices.Contains(ports, uint16(port)) {
			ports = append(ports, uint16(port))
		}
	}
	return ports
}

// bytesOf reads a size, e.g. 100M, 1Gi or 5000000.
func bytesOf(text string) (int64, error) {
	quantity, err := resource.ParseQuantity(text)
	const least = 64 << 10
	if err != nil || quantity.Value() < least {
		return 0, usagef("64Ki or more, e.g. 100M", "--rotate-size: %q is not a valid size", text)
	}
	return quantity.Value(), nil
}
