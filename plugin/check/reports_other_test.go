package check

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// otherReport is one public report: the state that it describes, and what has to be
// said of it. Reports of which no recording is the very state are made of a healthy
// run or of one whose tunnel is blocked.
type otherReport struct {
	name, source string
	run          func(t *testing.T) *recording.Recording
	code         string // of the cause, with its variant
	kind         verdict.Kind
	text         string // a part of what is said
	// The remedy on K3s: a part of its title or note, and its commands, a part of
	// each. One without commands prints none.
	advice   string
	commands []string
}

func of(run func() streams) func(t *testing.T) *recording.Recording {
	return func(t *testing.T) *recording.Recording { return record(t, run()) }
}

func recordedAs(name string) func(t *testing.T) *recording.Recording {
	return func(t *testing.T) *recording.Recording { return load(t, name) }
}

// otherReports are the table: report, expected cause, expected remedy. Observed is
// what TestOtherReports logs.
var otherReports = []otherReport{
	// Filters of the host.
	{"firewalld, and the pods in no zone", "flannel#2055",
		of(func() streams { return unforwarded(firewalldRejects("forward")) }), "WG0502 forward-firewalld-rule",
		verdict.Blocked, "the firewall of node-2 drops what it forwards and nothing accepts (chain inet firewalld " +
			"filter_FORWARD)", "firewalld trust the pods",
		[]string{"firewall-cmd --permanent --zone=trusted --add-source=10.42.0.0/24 --add-source=10.42.1.0/24",
			"firewall-cmd --zone=trusted --add-source="}},
	{"firewalld, and the port closed", "flannel#1834",
		of(func() streams { return unacceptedRun(firewalldRejects("input")) }), "WG0501 firewalld-rule",
		verdict.Blocked, "accepts no UDP port 51820", "firewall-cmd --get-zone-of-interface=eth0",
		[]string{"firewall-cmd --permanent --add-rich-rule='rule family=ipv4 source address=192.0.2.10 port " +
			"port=51820 protocol=udp accept'",
			"firewall-cmd --add-rich-rule="}},
	{"a cloud's image rejects the rest of INPUT", "k3s#977", of(func() streams {
		return unacceptedRun(inputRule("drop", "INPUT", "reject with icmp type host-prohibited", evidence.Selector{}))
	}), "WG0501 iptables-rule", verdict.Blocked, "the firewall drops what it does not accept (chain ip filter INPUT)",
		"192.0.2.10 alone", []string{"iptables-nft -t filter -I INPUT 3 --source 192.0.2.10 -p udp --dport 51820 " +
			"-j ACCEPT"}},
	{"a cloud's image rejects the rest of FORWARD", "k3s#4847", of(func() streams {
		return unforwarded(forwardRule("drop", "reject with icmp type host-prohibited", evidence.Selector{}))
	}), "WG0502 forward-iptables-rule", verdict.Blocked,
		"drops what it forwards and nothing accepts (chain ip filter FORWARD)", "the two nodes",
		[]string{"-I FORWARD 3 -s 10.42.0.0/24 -d 10.42.1.0/24 -j ACCEPT",
			"-I FORWARD 3 -s 10.42.1.0/24 -d 10.42.0.0/24 -j ACCEPT"}},
	{"Docker's policy, and Flannel's accepts gone", "flannel#699", recordedAs("host-forward-policy"),
		"WG0502 forward-policy", verdict.Blocked, "drops what it forwards and nothing accepts",
		"behind the chains of network policies", nil},
	{"kube-proxy's own drop of what is invalid", "kubernetes#74839", of(func() streams {
		return unforwarded(rewritten(forwardRule("drop",
			"(conntrack) drop", evidence.Selector{Other: []string{"conntrack"}}),
			func(f *evidence.Firewall) { f.Chain = "KUBE-FORWARD" }))
	}), "WG0502 behind", verdict.Blocked, "they leave flannel-wg of node-2 and do not reach the pod",
		"Find what keeps", nil},
	{"the kubelet's own drop by mark", "flannel#1321", of(func() streams {
		return unacceptedRun(inputRule("drop", "KUBE-FIREWALL", "meta mark & 0x8000 == 0x8000 drop",
			evidence.Selector{MarkIs: 0x8000, MarkMask: 0x8000}))
	}), "WG0501 dropped", verdict.Blocked, "what drops them was not found", "nft list ruleset", nil},

	// The kernel of the host.
	{"a hardening switched forwarding off", "acs-engine#3394", of(func() streams { return notForwarding(4) }),
		"WG0502 unforwarded4", verdict.Blocked, "node-2 does not forward the IPv4 packets that arrive on flannel-wg",
		"net.ipv4.ip_forward", []string{"sysctl -w net/ipv4/conf/flannel-wg/forwarding=1"}},
	{"the table of connections is full", "kubernetes#71261", of(func() streams { return unacceptedRun(tableIsFull()) }),
		"WG0501 conntrack", verdict.Blocked, "dropped 12 packets, and its table has 262100 of 262144 entries",
		"--conntrack-max-per-core", nil},
	{"the same, for packets of pods", "kubernetes#18604", of(func() streams { return unforwarded(tableIsFull()) }),
		"WG0502 conntrack", verdict.Blocked, "its table has 262100 of 262144 entries", "--conntrack-max-per-core", nil},
	{"a kernel that decrypts and hands nothing over", "bottlerocket#4772, cilium#46687",
		of(func() streams { return seenIn(nil, &evidence.Witness{}) }), "WG0502 within", verdict.Blocked,
		"WireGuard on node-2 accepts what it sends, and none was seen leaving flannel-wg there",
		"compare the kernel with that of a node", nil},
	{"a kernel that drops what pods send before the tunnel",
		"calico#13960", of(func() streams { return seenIn(&evidence.Witness{}, &evidence.Witness{}) }),
		"WG0502 before", verdict.Blocked, "none was seen entering flannel-wg of node-1", "rp_filter", nil},
	{"Secure Boot and a module that is not signed", "ansible-role-wireguard#130", of(withoutModule), "WG0201 missing",
		verdict.Misconfigured, "node-2 has no flannel-wg", "Restart K3s on node-2", []string{"modprobe wireguard",
			"systemctl restart k3s"}},
	{"a card's or hypervisor's offload", "talos#11764",
		of(func() streams { return unacceptedRun(counter("UdpInCsumErrors")) }), "WG0501 checksum", verdict.Blocked,
		"arrived with wrong checksums", "ethtool -k", nil},

	// Routes and rules.
	{"networkd removed the rule for the table main", "systemd#41350", of(withoutMainRule), "WG0401 unruled",
		verdict.Blocked, "none of its policy rules leads to the table main", "ManageForeignRoutingPolicyRules=no",
		[]string{"ip -4 rule add priority 32766 lookup main"}},
	{"a network manager removed the routes", "bottlerocket#3437",
		recordedAs("host-route-missing"), "WG0401 none", verdict.Plaintext, "it has no route into flannel-wg",
		"unmanaged-devices=interface-name:flannel*", []string{"systemctl restart k3s"}},
	{"a VPN with the cluster's range was there first", "flannel#1963", of(func() streams { return overVPN(false) }),
		"WG0401 taken", verdict.Plaintext, "since the route 10.42.0.0/16 via tun0 is there in its place",
		"leave out 10.42.0.0/16", nil},
	{"the same, and both routes are there", "weave#3987", of(func() streams { return overVPN(true) }), "WG0401 tun",
		verdict.Plaintext, "for the same range 10.42.0.0/16 the route via tun0 takes precedence",
		"Find out what added it", []string{"ip -4 route delete 10.42.0.0/16 dev tun0"}},
	{"routes of Tailscale that outlived it", "k3s#7772", of(tailscaleTable), "WG0401 rule", verdict.Plaintext,
		"the rule of priority 5270 looks it up in table 52", "leave the pod network out",
		[]string{"ip -4 rule add priority 5269 to 10.42.0.0/24 lookup main",
			"ip -4 rule add priority 5269 to 10.42.1.0/24 lookup main"}},
	{"a blackhole of an earlier pod range", "rke2#11170", of(func() streams {
		return with1(healthy(3), entry("10.42.1.0/25", "", "blackhole", 254))
	}), "WG0401 refused", verdict.Blocked, "refuses traffic for 10.42.1.0/25, a part of the pods on node-2",
		"Find out what added it", []string{"ip -4 route delete blackhole 10.42.1.0/25 table 254"}},
	{"a container engine's network within the pods' range", "kops#710", of(bridgeWithin), "WG0401 bridge",
		verdict.Plaintext, "the more specific route 10.42.1.0/24 via br-5a1 takes precedence",
		"docker network ls", nil},

	// Addresses of the nodes.
	{"the nodes' network lies in the pods' range", "k3s#588", of(func() streams {
		at := netip.MustParseAddr("10.42.0.11")
		s := unsentRun(evidence.Message{Neighbour: &evidence.Neighbour{Address: at, Link: "cni0", State: "failed"}})
		return republished(s, at, evidence.Route{Link: "cni0", Type: "unicast", Table: 254, Destination: podRange(0)})
	}), "WG0501 overlap", verdict.Blocked, "looks for the endpoint of node-2, 10.42.0.11, among its own pods (on cni0)",
		"another range than 10.42.0.0/24", nil},
	{"kube-proxy's IPVS has another node's address", "k3s#2804", of(func() streams {
		s := unsentRun(evidence.Message{
			Link: &evidence.Link{Index: 8, Name: "kube-ipvs0", Kind: "dummy", MTU: 1500, Role: evidence.RoleInside},
		},
			address("kube-ipvs0", "192.0.2.11/32"))
		route(s["probe/node-1"], evidence.Route{For: underlay(1), Link: "lo", Type: "local", Table: 255})
		return s
	}), "WG0501 own-address", verdict.Blocked, "for an address of its own (on kube-ipvs0)", "mode ipvs", nil},
	{"a virtual address was published and moved", "kube-vip#1385", of(func() streams {
		s := notArriving(unacceptedRun())
		s["probe/node-3"] = append(s["probe/node-3"], address("eth0", "192.0.2.100/32"))
		return republished(s, netip.MustParseAddr("192.0.2.100"), onTheSpot)
	}), "WG0306 elsewhere", verdict.Misconfigured, "node-2 publishes 192.0.2.100, which is an address of node-3 " +
		"(on eth0)", "node-ip, node-external-ip or flannel-iface", nil},
	{"DHCP gave the node another address", "flannel#760", of(func() streams {
		at := netip.MustParseAddr("192.0.2.77")
		s := unsentRun(evidence.Message{Neighbour: &evidence.Neighbour{Address: at, Link: "eth0", State: "failed"}})
		return republished(s, at, onTheSpot)
	}), "WG0306 moved", verdict.Misconfigured, "node-2 publishes 192.0.2.77, which is none of its own addresses",
		"a reservation of DHCP", []string{"systemctl restart k3s"}},
	{"a temporary IPv6 address was published and is gone", "k3s#12538", of(func() streams {
		s := notArriving(unacceptedRun(address("eth0", "2001:db8::11/64")))
		return republished(s, netip.MustParseAddr("2001:db8::a7c1"),
			evidence.Route{Link: "eth0", Type: "unicast", Table: 254,
				Destination: netip.MustParsePrefix("2001:db8::/64")})
	}), "WG0306 moved", verdict.Misconfigured, "node-2 publishes 2001:db8::a7c1", "no temporary IPv6 address",
		[]string{"systemctl restart k3s"}},
	{"a port of a NAT is not forwarded, or its address changed", "flannel#1052", of(func() streams {
		return republished(notArriving(unacceptedRun()), netip.MustParseAddr("203.0.113.9"), viaGateway)
	}), "WG0501 forwarded", verdict.Blocked, "node-2 itself does not have 203.0.113.9, so a NAT has to forward it",
		"port forwarding", nil},
	{"two nodes behind one NAT that does not send back", "k3s#8693", of(sameNAT), "WG0501 hairpin", verdict.Blocked,
		"back inside, since node-1 is behind the same address", "hairpin NAT", nil},
	{"an edge node publishes its private address", "k3s#10588",
		of(func() streams { s := healthy(3); overGateway(s); unanswered(s); return s }), "WG0306 private",
		verdict.Misconfigured, "a private address that node-1 reaches only through its default gateway",
		"node-external-ip", nil},
	{"cloned machines with one hardware address", "linuxkit#1800", of(func() streams {
		s := notArriving(unacceptedRun())
		for _, name := range []string{"probe/node-2", "probe/node-3"} {
			each(s[name], func(m *evidence.Message) {
				if m.Link != nil && m.Link.Name == "eth0" {
					m.Link.Ether = "02:00:00:00:00:07"
				}
			})
		}
		return s
	}), "WG0501 twin", verdict.Blocked, "eth0 of node-2 has the hardware address 02:00:00:00:00:07, " +
		"which node-3 has as well", "set another one in the hypervisor", nil},
	{"cloned machines with one key", "k3s#1365", recordedAs("host-shared-key"), "WG0303 ", verdict.Misconfigured,
		"share the key", "a key of its own", []string{"rm -f /run/flannel/wgkey", "systemctl restart k3s"}},
	{"a security group", "flannel#1039", recordedAs("host-network-both-ways"), "WG0501 network", verdict.Blocked,
		"it leaves node-1 and does not arrive", "security groups", nil},

	// Addresses of the pods.
	{"another CNI configuration comes first", "flannel#1437",
		of(func() streams { return podAt("10.88.0.5", viaGateway) }),
		"WG0107 foreign", verdict.Misconfigured, "got the address 10.88.0.5, which is not of the node's pod range " +
			"10.42.1.0/24", "/var/lib/rancher/k3s/agent/etc/cni/net.d", nil},
	{"a node keeps a pod range that another has now", "flannel#1343", of(func() streams {
		return podAt("10.42.2.9", evidence.Route{Link: "flannel-wg", Type: "unicast", Table: 254})
	}), "WG0107 foreign", verdict.Misconfigured, "got the address 10.42.2.9", "/run/flannel/subnet.env", nil},

	// Ports and sizes.
	{"another WireGuard on the port", "kilo#50", recordedAs("host-port-taken"), "WG0201 port", verdict.Plaintext,
		"51820", "ListenPort", nil},
	{"a vSwitch that takes less", "kube-hetzner#2027", recordedAs("host-network-mtu"), "WG0503 fits", verdict.Blocked,
		"are lost; those of", "Lower the tunnel's MTU to", nil},
	{"a clock that was set back", "opnsense#9181", recordedAs("vm-clock-set-back"), "WG0501 clock", verdict.Blocked,
		"in the future of its own clock", "NTP", []string{"systemctl restart k3s"}},
}

// TestOtherReports judges public reports next to those that the lab has scenarios
// of: the first cause, its kind, its words and its remedy.
func TestOtherReports(t *testing.T) {
	for _, r := range otherReports {
		t.Run(r.name, func(t *testing.T) {
			f := Judge(r.run(t)).FirstCause
			if f == nil {
				t.Fatalf("%s: no cause", r.source)
			}
			hint, _ := remedy.For(*f, remedy.K3s)
			t.Logf("%s | expected %s, %s | observed %s %s, %s: %s | %s",
				r.source, r.code, r.kind, f.Code, f.Variant, f.Kind, f.Text, hint.Title)
			if f.Code+" "+f.Variant != r.code || f.Kind != r.kind || !strings.Contains(f.Text, r.text) {
				t.Errorf("%s %s, %s: %s\nwant %s, %s: %s", f.Code, f.Variant, f.Kind, f.Text, r.code, r.kind, r.text)
			}
			if !strings.Contains(hint.Title+"\n"+hint.Note, r.advice) {
				t.Errorf("advice %q: %q is not in it", hint.Title+"\n"+hint.Note, r.advice)
			}
			if len(hint.Steps) != len(r.commands) {
				t.Fatalf("commands %+v, want %q", hint.Steps, r.commands)
			}
			for i, step := range hint.Steps {
				if !strings.Contains(step.Command, r.commands[i]) {
					t.Errorf("command %q, want %q", step.Command, r.commands[i])
				}
			}
		})
	}
}

// What a report's state looks like from near and is not: a node that has the
// address, forwards, has room, or another node's range is not blamed.
func TestOtherReportsFromNear(t *testing.T) {
	for name, test := range map[string]struct {
		run  func() streams
		want string
	}{
		"a NAT that forwards": {func() streams {
			s := healthy(3)
			s["probe/node-2"] = append(s["probe/node-2"], address("eth0", "192.0.2.11/24"))
			return republished(s, netip.MustParseAddr("203.0.113.9"), viaGateway)
		}, ""},
		"room in the table of connections": {func() streams {
			return unacceptedRun(evidence.Message{
				StackCount: &evidence.StackCount{Name: evidence.ConntrackDrop, Rise: 12, Level: 1000, Of: 262144},
			})
		}, "WG0501 dropped"},
		"another family is not forwarded": {func() streams { return notForwarding(6) }, "WG0502 behind"},
		"a drop in KUBE-FORWARD that is not kube-proxy's": {func() streams {
			return unforwarded(rewritten(forwardRule("drop",
				"ip daddr 10.42.1.0/24 drop", evidence.Selector{To: prefixes("10.42.1.0/24")}),
				func(f *evidence.Firewall) { f.Chain = "KUBE-FORWARD" }))
		}, "WG0502 forward-iptables-rule"},
		"a pod's address of its node's range": {func() streams {
			return podAt("10.42.1.9", evidence.Route{Link: "flannel-wg", Type: "unicast", Table: 254})
		},
			"WG0502 behind"},
		"a pod's address of another range, to which the others send": {func() streams {
			s := podAt("10.42.9.9", evidence.Route{Link: "flannel-wg", Type: "unicast", Table: 254})
			for _, name := range []string{"probe/node-1", "probe/node-3"} {
				each(s[name], func(m *evidence.Message) {
					if m.Peer != nil && m.Peer.PublicKey == publicKey(1) {
						m.Peer.AllowedIPs = append(m.Peer.AllowedIPs, netip.MustParsePrefix("10.42.9.0/24"))
					}
				})
			}
			return s
		}, "WG0502 behind"},
		"a stranger's address is on no card": {func() streams {
			return notArriving(unacceptedRun())
		}, "WG0501 network"},
		"a control that arrived, of a tunnel that sends nothing": {func() streams {
			return unsentRun()
		}, "WG0501 output"},
		"a control that did not arrive, of a tunnel that sends nothing": {func() streams {
			s := unsentRun()
			each(s["probe/node-2"], func(m *evidence.Message) {
				if m.Witness != nil && m.Witness.Link == "eth0" && m.Witness.Direction == "rx" {
					m.Witness.Seen = nil
				}
			})
			count(s["probe/node-1"], 1, func(c *evidence.Count) { c.TX = [4]uint64{1000, 1000, 1000, 1000} })
			return s
		}, "WG0501 network"},
	} {
		j := Judge(record(t, test.run()))
		got := ""
		if f := j.FirstCause; f != nil {
			got = f.Code + " " + f.Variant
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// Of two faults on one way, of which the first hides the second, both are reported.
func TestOtherReportsTogether(t *testing.T) {
	drops := inputRule("drop", "INPUT", "udp dport 51820 drop", at51820(evidence.Selector{}))
	for name, behind := range map[string]func(streams){
		"a rule for pods": func(s streams) {
			s["probe/node-2"] = append(s["probe/node-2"],
				forwardRule("drop", "ip daddr 10.42.1.0/24 drop", evidence.Selector{To: prefixes("10.42.1.0/24")}))
		},
		"no forwarding": func(s streams) {
			onLink(s, "flannel-wg", func(l *evidence.Link) { l.NoForwarding = []int{4} })
		},
	} {
		s := unacceptedRun(drops)
		behind(s)
		var causes []string
		for _, c := range Judge(record(t, s)).Causes {
			causes = append(causes, c.Code)
		}
		if !slices.Contains(causes, "WG0501") || !slices.Contains(causes, "WG0502") {
			t.Errorf("%s: %q", name, causes)
		}
	}
}

// Where no device shows whether others send to a pod's strange address, it is not
// known to be wrong, and not proven either.
func TestForeignAddressOfUnreadNode(t *testing.T) {
	s := podAt("10.42.2.9", evidence.Route{Link: "flannel-wg", Type: "unicast", Table: 254})
	s["probe/node-2"] = slices.DeleteFunc(s["probe/node-2"], func(m evidence.Message) bool { return m.Device != nil })
	found := false
	for _, f := range Judge(record(t, s)).Findings {
		found = found || f.Code == "WG0107" && f.Subject.Node == "node-2" && f.Status == verdict.Inconclusive &&
			f.Variant == "foreign"
	}
	if !found {
		t.Error("WG0107 of node-2 is not inconclusive")
	}
}
