package capture

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/wire"
)

// watching is a config that watches all pods, of a host with these addresses.
func watching(index int, addresses []string, links ...evidence.Link) Config {
	c := config(links...)
	c.Node = index
	for i := range 2 {
		c.Request.Ranges = append(c.Request.Ranges, evidence.PodRange{
			Index: i, Prefixes: []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.42.%d.0/24", i))}})
	}
	for _, a := range addresses {
		c.Addresses = append(c.Addresses, evidence.Address{Link: "eth0", Prefix: netip.MustParsePrefix(a)})
	}
	return c
}

// ofOthers are the leaks by range, by direction and link.
func ofOthers(messages []evidence.Message) map[string]evidence.Sighting {
	found := map[string]evidence.Sighting{}
	for _, leak := range leaksIn(messages) {
		if leak.By == evidence.LeakedByRange {
			found[leak.Link+" "+leak.Direction] = leak
		}
	}
	return found
}

// TestOtherPods: packets of pods that are none of the test's are leaks where
// they leave and where they arrive, amid traffic that is none.
//
//	a: lo 10.42.0.33, eth0 192.0.2.10 ── bare ──► eth0 192.0.2.11, lo 10.42.1.44 :b
func TestOtherPods(t *testing.T) {
	noLeftovers(t)
	a, b := pair(t)
	for i, n := range []*namespace{a, b} {
		n.ip(t, "addr add "+[]string{"10.42.0.33/32", "10.42.1.44/32"}[i]+" dev lo")
		n.ip(t, "route add "+[]string{"10.42.1.0/24 via 192.0.2.11", "10.42.0.0/24 via 192.0.2.10"}[i])
	}
	sa := a.start(t, watching(0, []string{"192.0.2.10/24"}, a.link(t, "eth0", evidence.RoleOutside)))
	sb := b.start(t, watching(1, []string{"192.0.2.11/24"}, b.link(t, "eth0", evidence.RoleOutside)))
	b.dial(t, "10.42.1.44:5432", "10.42.0.33:4000") // somebody listens
	c := a.dial(t, "10.42.0.33:4000", "10.42.1.44:5432")
	nodes := a.dial(t, "192.0.2.10:0", "192.0.2.11:9")
	for range 50 {
		send(t, nodes, make([]byte, 1000))
	}
	send(t, c, []byte("secret of a customer"))
	time.Sleep(200 * time.Millisecond)
	for direction, s := range map[string]*Session{evidence.DirectionTX: sa, evidence.DirectionRX: sb} {
		leaks := ofOthers(s.Stop(t.Context()))
		leak, found := leaks["eth0 "+direction]
		if len(leaks) != 1 || !found || leak.Count != 1 || leak.Source != 0 || leak.Target != 1 ||
			leak.TargetPort != 5432 || leak.Protocol != 17 {
			t.Errorf("%s: %+v", direction, leaks)
		}
	}
}

// TestOwn: every link's Ethernet address is the host's, but for one that is a
// virtual machine's.
func TestOwn(t *testing.T) {
	config := Config{
		Addresses: []evidence.Address{{Link: "eth0", Prefix: netip.MustParsePrefix("192.0.2.10/24")}},
		Links: []evidence.Link{
			{Name: "eth0", Ether: "02:00:00:00:00:01"}, {Name: "wg0", Kind: "wireguard"}, {Name: "ib0", Ether: "00:01"},
			{Name: "vm0", Kind: "macvtap", Ether: "02:00:00:00:00:02"},
			{Name: "br0", Kind: "bridge", Ether: "02:00:00:00:00:03"},
		},
	}
	subject := config.subject()
	if len(subject.Ethers) != 2 || subject.Ethers[0] != [6]byte{2, 0, 0, 0, 0, 1} ||
		subject.Ethers[1] != [6]byte{2, 0, 0, 0, 0, 3} ||
		len(subject.Addresses) != 1 || subject.Addresses[0] != netip.MustParseAddr("192.0.2.10") {
		t.Errorf("%+v", subject)
	}
}

// TestTwoClusters: a host bridges the virtual machine of another cluster, which
// has the same pod ranges. What the machine sends and gets is not the host's,
// what the host itself sends and gets is, though the bridge has an address of
// its own and the card hears all that is for it as if it were for others.
//
//	v (virtual machine): eth0 192.0.2.66, lo 10.42.0.66 ── vm0 ┐
//	                 h (host): lo 10.42.0.33, br0 192.0.2.10 ──┴── eth0 ──── eth0 192.0.2.11, lo 10.42.1.44 :b
func TestTwoClusters(t *testing.T) {
	noLeftovers(t)
	h, b := pair(t)
	v := newNamespace(t)
	h.ip(t, fmt.Sprintf("link add vm0 type veth peer name eth0 netns %d", v.thread))
	h.ip(t, "addr flush dev eth0")
	h.ip(t, "link add br0 address 02:00:00:00:99:01 type bridge forward_delay 0")
	for _, link := range []string{"eth0", "vm0"} {
		h.ip(t, "link set "+link+" master br0")
		h.ip(t, "link set "+link+" up")
	}
	h.ip(t, "link set br0 up")
	h.ip(t, "addr add 192.0.2.10/24 dev br0")
	v.ip(t, "addr add 192.0.2.66/24 dev eth0")
	v.ip(t, "link set eth0 up")
	h.ip(t, "addr add 10.42.0.33/32 dev lo")
	v.ip(t, "addr add 10.42.0.66/32 dev lo")
	b.ip(t, "addr add 10.42.1.44/32 dev lo")
	for _, n := range []*namespace{h, v} {
		n.ip(t, "route add 10.42.1.0/24 via 192.0.2.11")
	}
	b.ip(t, "route add 10.42.0.66/32 via 192.0.2.66")
	b.ip(t, "route add 10.42.0.33/32 via 192.0.2.10")
	v.awaitCarrier(t, "eth0")
	h.awaitCarrier(t, "eth0")
	time.Sleep(200 * time.Millisecond) // the ports begin to forward

	links := []evidence.Link{h.link(t, "eth0", evidence.RoleOutside), h.link(t, "br0", evidence.RoleInside),
		h.link(t, "vm0", evidence.RoleInside)}
	exchange := func(n *namespace, own string) map[string]evidence.Sighting {
		s := h.start(t, watching(0, []string{"192.0.2.10/24", "10.42.0.33/32"}, links...))
		there := b.dial(t, "10.42.1.44:5432", own+":4000")
		here := n.dial(t, own+":4000", "10.42.1.44:5432")
		for range 3 {
			send(t, here, []byte("question"))
			time.Sleep(50 * time.Millisecond)
			send(t, there, []byte("answer"))
		}
		time.Sleep(200 * time.Millisecond)
		messages := s.Stop(t.Context())
		if c := captures(messages)["eth0"]; c.Classes["udp"] < 4 {
			t.Errorf("%s: it was not seen at all: %+v", own, c)
		}
		there.Close()
		here.Close()
		return ofOthers(messages)
	}
	if leaks := exchange(v, "10.42.0.66"); len(leaks) != 0 {
		t.Errorf("the virtual machine's: %+v", leaks)
	}
	leaks := exchange(h, "10.42.0.33")
	if out, in := leaks["eth0 tx"], leaks["eth0 rx"]; len(leaks) != 2 || out.Source != 0 || out.Target != 1 ||
		in.Source != 1 || in.Target != 0 {
		t.Errorf("the host's own: %+v", leaks)
	}
}

// TestOtherTunnels: on tunnels that are not WireGuard's the run's own packets are
// counted and nothing else is copied; nothing is sent through them, and one
// that goes away is not a problem of the capture as a whole.
//
//	a: vx, ipip0, gre0: 10.42.0.7 ── through eth0 192.0.2.10 ──► 192.0.2.11 :b
func TestOtherTunnels(t *testing.T) {
	for kind, make := range map[string]string{
		"vxlan":  "type vxlan id 1 local 192.0.2.10 remote 192.0.2.11 dev eth0 dstport 8472",
		"ipip":   "type ipip local 192.0.2.10 remote 192.0.2.11",
		"gre":    "type gre local 192.0.2.10 remote 192.0.2.11",
		"gretap": "type gretap local 192.0.2.10 remote 192.0.2.11",
		"geneve": "type geneve id 1 remote 192.0.2.11",
	} {
		t.Run(kind, func(t *testing.T) {
			noLeftovers(t)
			a, b := pair(t)
			// the kernel itself sends nothing there
			a.run(t, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
			if out, err := a.try("ip", strings.Fields("link add t0 "+make)...); err != nil {
				t.Skipf("needs a kernel with %s: %v: %s", kind, err, out)
			}
			a.ip(t, "addr add 10.42.0.7/16 dev t0")
			a.ip(t, "link set t0 up")
			link := a.link(t, "t0", evidence.RoleInside)
			if link.Kind = kind; link.Ether != "" {
				a.ip(t, "neigh add 10.42.1.9 lladdr 02:00:00:00:00:09 dev t0")
			}
			outside := b.start(t, config(b.link(t, "eth0", evidence.RoleOutside)))
			s := a.start(t, config(a.link(t, "eth0", evidence.RoleOutside), link))
			if links := s.Links(); len(links) != 1 || s.Loop("t0") == nil {
				t.Errorf("controls for %v", links)
			}
			c := a.dial(t, "10.42.0.7:4000", "10.42.1.9:4000")
			for i := range 3 {
				send(t, c, marked(t, wire.KindCanary, 100+i))
				send(t, c, []byte("of others"))
			}
			time.Sleep(100 * time.Millisecond)
			a.ip(t, "link del t0")
			time.Sleep(100 * time.Millisecond)
			messages := s.Stop(t.Context())
			got := captures(messages)["t0"]
			if got.Role != evidence.RoleInside || !got.Started || got.Frames != 3 || got.Alive || got.Error == "" {
				t.Errorf("%+v", got)
			}
			seen := uint32(0)
			for _, m := range messages {
				if m.Problem != nil {
					t.Errorf("%+v", m.Problem)
				}
				if m.Witness != nil && m.Witness.Link == "t0" && m.Witness.Direction == evidence.DirectionTX {
					seen += m.Witness.Seen[0].UDP
				}
			}
			for _, leak := range leaksIn(messages) {
				if leak.Link != "eth0" {
					t.Errorf("%+v", leak)
				}
			}
			if seen != 3 {
				t.Errorf("%d of 3 canaries seen", seen)
			}
			for _, leak := range leaksIn(outside.Stop(t.Context())) {
				if leak.By == evidence.LeakedByMark && leak.Count != 3 {
					t.Errorf("%+v", leak)
				}
			}
		})
	}
}

// TestOtherTUN: the same of a TUN device, whose process may do anything with what
// it is handed.
//
//	a: tun0 10.42.0.7, which no WireGuard reads
func TestOtherTUN(t *testing.T) {
	noLeftovers(t)
	a, _ := newTun(t)
	a.run(t, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/tun0/disable_ipv6")
	a.ip(t, "addr add 10.42.0.7/16 dev tun0")
	a.ip(t, "link set tun0 up")
	link := a.link(t, "tun0", evidence.RoleInside)
	link.Kind = "tun"
	s := a.start(t, config(link))
	c := a.dial(t, "10.42.0.7:4000", "10.42.1.9:4000")
	for i := range 3 {
		send(t, c, marked(t, wire.KindCanary, 100+i))
		send(t, c, []byte("of others"))
	}
	time.Sleep(100 * time.Millisecond)
	messages := s.Stop(t.Context())
	if got := captures(messages)["tun0"]; !got.Started || !got.Alive || got.Frames != 3 ||
		len(leaksIn(messages)) != 0 {
		t.Errorf("%+v", got)
	}
	for _, m := range messages {
		if m.Witness != nil && m.Witness.Seen[0].UDP != 3 {
			t.Errorf("%+v", m.Witness)
		}
	}
}
