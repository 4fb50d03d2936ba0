package check

import "github.com/kubectl-wg/kubectl-wg/plugin/verdict"

// scenarios are recordings of the lab's scenarios on the host ground, one each,
// with what the scenario's row expects.
var scenarios = map[string]expectation{
	// The healthy clusters of the lab that differ from what K3s makes of a fresh machine.
	"host-healthy-restarted":       {verdict.Passed, "", nil},
	"host-healthy-one-restarted":   {verdict.Passed, "", nil},
	"host-healthy-listen-port":     {verdict.Passed, "", nil},
	"host-healthy-keepalive-0":     {verdict.Passed, "", nil},
	"host-healthy-psk":             {verdict.Passed, "", nil},
	"host-healthy-second-nic":      {verdict.Passed, "", nil},
	"host-healthy-no-carrier":      {verdict.Passed, "", nil},
	"host-healthy-other-wireguard": {verdict.Passed, "", nil},
	"host-healthy-background":      {verdict.Passed, "", nil},
	"host-healthy-firewall":        {verdict.Passed, "", nil},
	"host-healthy-cordoned":        {verdict.Passed, "", nil},
	"host-healthy-tainted":         {verdict.Passed, "", nil},
	"host-healthy-overwrite-stuck": {verdict.Passed, "", nil},
	"host-healthy-old-pod":         {verdict.Passed, "", nil},
	"host-healthy-three":           {verdict.Passed, "", nil},
	"host-healthy-two-of-three":    {verdict.Passed, "", nil},

	// Routes.
	"host-stale-route-one-way": {verdict.Failed, "WG0401", []string{"node-1 sends", "flannel.1", "variant vxlan"}},
	"host-stale-host-gw-route": {verdict.Failed, "WG0401", []string{"eth0", "10.42.1.0/24"}},
	"host-leak-by-25":          {verdict.Failed, "WG0401", []string{"10.42.1.0/25 over eth0"}},
	"host-leak-by-28":          {verdict.Failed, "WG0401", []string{"10.42.1.240/28", "a part of the pods on node-2", "not what is for the test pod"}},
	"host-route-missing":       {verdict.Failed, "WG0401", []string{"no route into flannel-wg", "variant none"}},
	"host-route-blackhole":     {verdict.Failed, "WG0401", []string{"blackhole 10.42.1.0/24", "variant refused"}},
	"host-route-unreachable":   {verdict.Failed, "WG0401", []string{"unreachable 10.42.0.0/24", "variant refused"}},
	"host-rule-bypass":         {verdict.Failed, "WG0401", []string{"priority 5210", "table 52", "variant rule"}},
	"host-ipip-tunnel":         {verdict.Failed, "WG0401", []string{"tunnel2"}},
	"host-gre-tunnel":          {verdict.Failed, "WG0401", []string{"tunnel2"}},
	"host-geneve-tunnel":       {verdict.Failed, "WG0401", []string{"tunnel2"}},

	// Keys, allowed IPs, endpoints.
	"host-stale-key":             {verdict.Failed, "WG0302", []string{"another key for node-2", "variant stale"}},
	"host-missing-peer":          {verdict.Failed, "WG0302", []string{"no peer with the key of node-2", "variant missing"}},
	"host-shared-key":            {verdict.Failed, "WG0303", []string{"node-1, node-2 share the key"}},
	"host-published-key":         {verdict.Failed, "WG0301", []string{"node-2 publishes the key AAAA"}},
	"host-allowed-gap":           {verdict.Failed, "WG0304", []string{"no peer of flannel-wg on node-1"}},
	"host-allowed-part":          {verdict.Failed, "WG0304", []string{"only a part of its pod range"}},
	"host-endpoint-address":      {verdict.Failed, "WG0306", []string{"192.0.2.77:51820"}},
	"host-endpoint-port":         {verdict.Failed, "WG0306", []string{"192.0.2.12:51999", "variant port"}},
	"host-endpoint-roams":        {verdict.Undecided, "WG0604", []string{"203.0.113.9:51820 first"}},
	"host-psk-one-side":          {verdict.Failed, "WG0501", []string{"preshared keys", "variant handshake"}},
	"host-three-allowed-overlap": {verdict.Failed, "WG0304", []string{"of node-2 belongs to the peer"}},
	"host-three-stale-peer":      {verdict.Failed, "WG0302", []string{"node-2 has another key for node-3"}},

	// Devices.
	"host-device-deleted": {verdict.Failed, "WG0201", []string{"node-2 has no flannel-wg", "variant missing"}},
	"host-device-down":    {verdict.Failed, "WG0201", []string{"is down", "variant down"}},
	"host-device-hangs":   {verdict.Failed, "WG0202", []string{"it hangs", "variant hangs"}},
	"host-port-taken":     {verdict.Failed, "WG0201", []string{"taken by wg7", "variant port"}},

	// Packet filters and sizes.
	"host-udp-blocked-output":     {verdict.Failed, "WG0501", []string{"node-1 drops its own outgoing UDP", "variant nftables"}},
	"host-udp-blocked-prerouting": {verdict.Failed, "WG0501", []string{"node-2 drops", "sabotage prerouting", "variant nftables"}},
	"host-udp-blocked-policy":     {verdict.Failed, "WG0501", []string{"node-2 drops", "policy drop", "variant nftables"}},
	"host-udp-blocked-iptables":   {verdict.Failed, "WG0501", []string{"node-2 drops", "ip filter INPUT", "variant nftables"}},
	"host-udp-blocked-raw":        {verdict.Failed, "WG0501", []string{"node-2 drops", "ip raw PREROUTING", "variant nftables"}},
	"host-udp-blocked-reject":     {verdict.Failed, "WG0501", []string{"node-2 drops", "reject", "variant nftables"}},
	"host-network-both-ways":      {verdict.Failed, "WG0501", []string{"lost between the nodes", "variant network"}},
	"host-network-one-way":        {verdict.Failed, "WG0501", []string{"from node-1 to node-2 is lost between the nodes"}},
	"host-three-udp-blocked":      {verdict.Failed, "WG0501", []string{"node-3 drops"}},
	"host-three-network-one-pair": {verdict.Failed, "WG0501", []string{"lost between the nodes"}},
	"host-forward-drop":           {verdict.Failed, "WG0502", []string{"do not arrive at the pod on node-2"}},
	"host-forward-policy":         {verdict.Failed, "WG0502", []string{"node-2 drops what it forwards", "variant forward"}},
	"host-no-forwarding":          {verdict.Failed, "WG0502", []string{"do not arrive at the pod on node-2"}},
	"host-link-mtu":               {verdict.Failed, "WG0504", []string{"eth0 takes 1380"}},
	"host-network-mtu":            {verdict.Failed, "WG0503", []string{"packets of 1420 bytes"}},

	// The cluster and the run.
	"host-mixed-backends":         {verdict.Failed, "WG0101", []string{"vxlan on node-2"}},
	"host-configured-not-running": {verdict.Failed, "WG0104", []string{"its lease says vxlan"}},
	"host-one-endpoint":           {verdict.Failed, "WG0106", []string{"192.0.2.11:51820"}},
	"host-node-not-ready":         {verdict.Undecided, "WG0102", []string{"node-2 (it is not Ready)"}},
	"host-image-missing":          {verdict.Undecided, "WG0103", []string{"ErrImageNeverPull", "variant image"}},
	"host-quota":                  {verdict.Undecided, "WG0103", []string{"variant admission"}},
	"host-vxlan-three":            {verdict.Failed, "WG0601", []string{"in clear inside VXLAN"}},

	// WireGuard of the machines, below a backend that does not encrypt.
	"host-healthy-vpn":    {verdict.Passed, "", nil},
	"host-vpn-one-beside": {verdict.Failed, "WG0401", []string{"overlay's packets for node-2", "through eth0 and not into wg0", "variant below"}},
	"host-vpn-unused":     {verdict.Failed, "WG0601", []string{"in clear inside VXLAN"}},
	"host-vpn-allowed":    {verdict.Failed, "WG0304", []string{"does not have 198.18.0.12"}},

	// Clusters and probes that want to be believed.
	"host-fake-wireguard":      {verdict.Failed, "WG0601", []string{"a datagram shaped like WireGuard"}},
	"host-fake-wireguard-bare": {verdict.Failed, "WG0201", []string{"a tun link, not WireGuard", "variant impostor"}},
	"host-fake-own-format":     {verdict.Failed, "WG0601", []string{"in a format that is not known", "variant unknown"}},
	"host-tee":                 {verdict.Failed, "WG0601", []string{"leaving eth0 of node-1"}},
	"host-leak-young":          {verdict.Failed, "WG0609", []string{"of a new pod's first packets", "leaving eth0 of node-1"}},
	"host-tee-second-nic":      {verdict.Failed, "WG0601", []string{"leaving eth1 of node-1"}},
	"host-middlebox":           {verdict.Failed, "WG0502", []string{"do not arrive at the pod on node-2"}},
	"host-probe-blind":         {verdict.Undecided, "WG0604", []string{"eth0 of node-1 leaves the host and was not watched"}},
	"host-probe-hides-leak":    {verdict.Failed, "WG0601", []string{"arriving on eth0 of node-2"}},
	"host-probe-truncates":     {verdict.Undecided, "WG0103", []string{"node-2", "variant lost"}},
	"host-probe-escapes":       {verdict.Undecided, "WG0604", []string{"of node-2 leaves the host and was not watched"}},
	"host-probe-hangs":         {verdict.Undecided, "WG0103", []string{"variant timeout"}},
}
