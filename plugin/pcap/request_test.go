package pcap

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestRequest(t *testing.T) {
	got := twoNodes().Request(Options{Pick: evidence.PickLeaks, Peer: "n2", Snap: 96}, []string{"eth1"})
	if text := fmt.Sprint(got.Ranges, got.Ends); text != "[{0 [10.42.0.0/24]} {1 [10.42.1.0/24]}] [192.0.2.2/32 10.42.1.0/24]" {
		t.Error(text)
	}
	if got.Pick != evidence.PickLeaks || got.Snap != 96 || fmt.Sprint(got.Links) != "[eth1]" {
		t.Errorf("%+v", got)
	}
	if got := twoNodes().Request(Options{}, nil); got.Ends != nil {
		t.Errorf("without a peer: %v", got.Ends)
	}
}

func TestCluster(t *testing.T) {
	c := twoNodes()
	if c.Name(1) != "n2" || c.Name(5) != "?" || !c.Has("n2") || c.Has("n3") {
		t.Errorf("%+v", c)
	}
	if c.Owner(netip.MustParseAddr("192.0.2.2")) != "n2" || c.Owner(netip.MustParseAddr("192.0.2.3")) != "" {
		t.Error("who has an address is not known")
	}
}
