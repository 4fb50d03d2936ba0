package scenario

// kernel are rows for which the machine's own kernel may lack a part: always in a virtual machine. The nodes' modprobe is a
// stand-in, so the real one is called by its path.
var kernel = []Scenario{
	{
		Name: "path-vrf", Title: "a pod's link is in a routing domain, whose table leads past the tunnel",
		Cluster: virtual, Want: fail(codePath), Findings: map[string]string{codeLeak: "fail"}, Witness: seesMarker, Unmendable: lookAt,
		Sabotage: func(nodes []string) []Command {
			commands := append(bystanders(nodes), shell(nodes[0], `
				/sbin/modprobe vrf
				ip link add vrf7 type vrf table 77
				ip link set vrf7 up
				ip link set veth-by master vrf7
				ip route replace 10.42.0.250/32 dev veth-by table 77
				ip route replace 10.42.0.250/32 dev veth-by`))
			return append(commands, talk(nodes, "udp", "", bystanderPort, false)...)
		},
		Restore: inTurn(dropBystanders, on(shell("node-1", "ip link delete vrf7 2>/dev/null || true"))),
	},
	{
		Name: "healthy-can", Title: "a CAN bus, which is no Ethernet, is up",
		Cluster: virtual, Want: pass,
		Sabotage: on(shell("node-1", "/sbin/modprobe vcan; ip link add can0 type vcan; ip link set can0 up")),
		Restore:  on(shell("node-1", "ip link delete can0 2>/dev/null || true")),
	},
	{
		Name: "healthy-ipip", Title: "an IP-in-IP tunnel to somewhere else is up",
		Cluster: virtual, Want: pass,
		Sabotage: on(shell("node-1", "/sbin/modprobe ipip; ip link add ipip7 type ipip local 192.0.2.11 remote 192.0.2.99; ip link set ipip7 up")),
		Restore:  on(shell("node-1", "ip link delete ipip7 2>/dev/null || true")),
	},
}
