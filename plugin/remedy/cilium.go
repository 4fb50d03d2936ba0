package remedy

// Cilium is the name by which a profile knows Cilium.
const Cilium = "cilium"

// ciliumRemedies are for Cilium. How its chart was installed is not known, so
// they name values of it and no commands.
var ciliumRemedies = []row{
	// Prints no command. Changes: traffic for pods that an agent does not know yet is dropped.
	{"WG0609", "", Cilium, Hint{
		Title: "Have nodes drop traffic of unknown pods instead of sending it unencrypted",
		Note: "Set the strict mode of its encryption for egress and ingress (encryption.strictMode), in a current " +
			"release.",
	}},
	// Prints no command. Changes: a few bytes for each peer and interval.
	{"WG0702", "", Cilium, Hint{
		Title: "Have the nodes send keepalives",
		Note: "Set the chart's value encryption.wireguard.persistentKeepalive to 25s, and restart the agents: kubectl " +
			"-n kube-system rollout restart daemonset cilium.",
	}},
}
