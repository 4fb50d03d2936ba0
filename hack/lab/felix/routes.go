package felix

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// protocolBIRD is RTPROT_BIRD of linux/rtnetlink.h, which BIRD gives its routes.
const protocolBIRD = unix.RTPROT_BIRD

// Routes keeps a route to each block of the other nodes through their address, as BIRD has them in a full mesh, until the
// context ends.
func Routes(ctx context.Context, options Options, addresses map[string]net.IP) error {
	client, err := options.client()
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := follow(ctx, client, options.NodeName, addresses); err != nil && ctx.Err() == nil {
			slog.Warn("following Calico's blocks", "error", err)
			time.Sleep(time.Second)
		}
	}
	return ctx.Err()
}

// follow lists the blocks' affinities and watches them until the server ends that.
func follow(ctx context.Context, client dynamic.Interface, own string, addresses map[string]net.IP) error {
	blocks := client.Resource(resource("blockaffinities"))
	list, err := blocks.List(ctx, v1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing blocks: %w", err)
	}
	for i := range list.Items {
		if err := setRoute(&list.Items[i], own, addresses, true); err != nil {
			return err
		}
	}
	changes, err := blocks.Watch(ctx, v1.ListOptions{ResourceVersion: list.GetResourceVersion()})
	if err != nil {
		return fmt.Errorf("watching blocks: %w", err)
	}
	defer changes.Stop()
	for change := range changes.ResultChan() {
		object, ok := change.Object.(*unstructured.Unstructured)
		if !ok {
			return errors.New("watching blocks: no object")
		}
		if err := setRoute(object, own, addresses, change.Type != watch.Deleted); err != nil {
			return err
		}
	}
	return nil
}

// setRoute adds or removes the route to one block, if it is another node's.
func setRoute(affinity *unstructured.Unstructured, own string, addresses map[string]net.IP, there bool) error {
	node, _, _ := unstructured.NestedString(affinity.Object, "spec", "node")
	text, _, _ := unstructured.NestedString(affinity.Object, "spec", "cidr")
	_, block, err := net.ParseCIDR(text)
	if err != nil || node == own || addresses[node] == nil {
		return nil // its own pods have routes of their own, and what cannot be read has none
	}
	link, err := netlink.LinkByName(topology.Uplink)
	if err != nil {
		return fmt.Errorf("finding %s: %w", topology.Uplink, err)
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: block, Gw: addresses[node], Protocol: protocolBIRD}
	change := netlink.RouteReplace
	if !there {
		change = netlink.RouteDel
	}
	if err := change(route); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("setting the route to %s: %w", block, err)
	}
	slog.Info("route", "block", text, "node", node, "there", there)
	return nil
}
