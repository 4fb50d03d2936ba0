package remedy

// KubeSpan is the name by which a profile knows the KubeSpan of Talos.
const KubeSpan = "kubespan"

// kubespanRemedies are for KubeSpan. Talos has no shell: what is to be changed is its
// machine configuration, by talosctl, whose access to the machines is not known.
var kubespanRemedies = []row{
	// Prints no command: how the machines are reached by talosctl is not known.
	{"WG0201", "below", KubeSpan, kubespanEnabled},
	// Prints no command, as before.
	{"WG0301", "", KubeSpan, kubespanEnabled},
	// Prints no command, as before.
	{"WG0302", "", KubeSpan, Hint{
		Title: "Find out why KubeSpan of {node} does not know {peer}",
		Note: "talosctl get kubespanpeerspecs lists the peers of a machine, talosctl get kubespanpeerstatuses their " +
			"state. Machines find each other through the discovery service: both must reach it.",
	}},
	// Prints no command: a filter may leave the address out on purpose.
	{"WG0304", "", KubeSpan, Hint{
		Title: "Have KubeSpan advertise the address of {peer}",
		Note: "A filter of its configuration, excludeAdvertisedNetworks, leaves it out: what is for it goes past the " +
			"tunnel.",
	}},
	// Prints no command: with it traffic stops while a peer is down, which is a choice.
	{"WG0401", "bypass", KubeSpan, Hint{
		Title: "Have KubeSpan drop what is for a peer that is down, and bring the peer up",
		Note: "Set allowDownPeerBypass: false in the configuration of KubeSpan of every machine " +
			"(machine.network.kubespan, or the document KubeSpanConfig). talosctl get kubespanpeerstatuses on {node} " +
			"shows the state of {peer}; UDP port 51820 must be open at one of the two at least.",
	}},
	// Prints no command: it is one of the machine configuration.
	{"WG0503", "", KubeSpan, Hint{
		Title: "Lower the MTU of KubeSpan",
		Note:  "Set mtu in its configuration on every machine; its default of 1420 takes a network of 1500 bytes.",
	}},
	// Prints no command: the default is set already.
	{"WG0702", "", KubeSpan, Hint{
		Title: "Find out what changed the keepalive of {node}",
		Note:  "KubeSpan sets 25 s for every peer.",
	}},
}

var kubespanEnabled = Hint{
	Title: "Enable KubeSpan on {node}",
	Note: "In its machine configuration kubespan.enabled must be true, and cluster discovery as well. talosctl get " +
		"kubespanidentities shows whether the machine has a key.",
}
