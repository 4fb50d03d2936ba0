package remedy

// Calico is the name by which a profile knows Calico.
const Calico = "calico"

// calicoRemedies are for Calico, whose WireGuard the FelixConfiguration describes.
var calicoRemedies = []row{
	// Changes the keepalive of all nodes: a few bytes for each peer and interval.
	{"WG0702", "", Calico, Hint{
		Title: "Have the nodes send keepalives",
		Steps: []Step{{
			On: Operator, Command: "kubectl patch felixconfiguration default --type=merge " +
				"-p '{\"spec\":{\"wireguardKeepAlive\":\"25s\"}}'",
			Note: "Felix applies it without a restart",
		}},
	}},
}
