//go:build linux

package agent

import (
	"net/netip"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/trial"
)

// roomed is a host in a network namespace.
type roomed struct {
	*fakeHost
	netns uint64
}

func (r *roomed) System() evidence.Hello { return evidence.Hello{BootID: "boot", NetNS: r.netns} }

// A link is tried in a trial's session alone, and never in the namespace of the host.
func TestTrialSession(t *testing.T) {
	for _, test := range []struct {
		name, role string
		netns      uint64
		tried      bool
	}{
		{"in the pod's own network", "trial", 7, true},
		{"in the host's network", "trial", 5, false},
		{"where it is not known", "trial", 0, false},
		{"a probe", "probe", 5, false},
		{"a test pod", "pod", 7, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			made := 0
			options := Options{Host: &roomed{&fakeHost{}, test.netns}, Trial: func(own, host uint64) (evidence.Trial, error) {
				if own == 0 || own == host {
					return evidence.Trial{}, trial.ErrHost
				}
				made++
				return evidence.Trial{Made: true}, nil
			}}
			messages, err := talk(t, options, start(test.role),
				evidence.Request{ID: 2, Trial: &evidence.TrialRequest{HostNetNS: 5}},
				evidence.Request{ID: 3, End: &evidence.EndRequest{}})
			if err != nil {
				t.Error(err)
			}
			said, problems := 0, 0
			for _, m := range messages {
				switch {
				case m.Trial != nil:
					said++
				case m.Problem != nil:
					problems++
				}
			}
			if (made == 1) != test.tried || said != made || (problems == 0) != test.tried {
				t.Errorf("made %d, said %d, problems %d", made, said, problems)
			}
		})
	}
}

// A probe binds a port, sends to it itself, and counts what arrived when it stops.
func TestPortSession(t *testing.T) {
	port := evidence.Port{Family: 4, Port: 47123}
	h := &fakeHost{}
	messages, err := talk(t, Options{Host: h, Filters: h, Devices: &fakeDevices{}}, start("probe"),
		evidence.Request{ID: 2, PortListen: &evidence.PortListenRequest{Ports: []evidence.Port{port}}},
		evidence.Request{ID: 3, PortSend: &evidence.PortSendRequest{
			Targets: []evidence.PortTarget{{Index: 1, Addr: netip.MustParseAddrPort("127.0.0.1:47123")}},
			Sizes:   []int{200}, Attempts: 1,
		}},
		evidence.Request{ID: 4, Stop: &evidence.StopRequest{}}, evidence.Request{ID: 5, End: &evidence.EndRequest{}})
	if err != nil {
		t.Error(err)
	}
	var use *evidence.PortUse
	var seen *evidence.PortSeen
	for _, m := range messages {
		switch {
		case m.PortUse != nil:
			use = m.PortUse
		case m.PortSeen != nil:
			seen = m.PortSeen
		}
	}
	if use == nil || !use.Bound {
		t.Skipf("needs UDP port %d: %+v", port.Port, use)
	}
	if seen == nil || seen.Count != 1 || seen.Largest != 200 || seen.Peer != 1 {
		t.Errorf("seen %+v, want one packet of 200 bytes", seen)
	}
}
