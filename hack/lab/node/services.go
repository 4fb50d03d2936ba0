package node

import (
	"context"
	"os"
	"strings"
)

// ServicesKubeconfig is the kubeconfig of kube-proxy and the network policy controller.
const ServicesKubeconfig = "/etc/kubernetes/services.kubeconfig"

// keepServices runs kube-proxy and kube-router with the options that K3s gives its own (pkg/daemons/agent,
// pkg/agent/netpol), but for the limits of connections, which are the machine's. /run/lab/proxy-mode has kube-proxy start in
// another mode than K3s' default.
func keepServices(ctx context.Context, config HostConfig, node Node, services *services, logs map[string]*os.File) {
	go services.keep(ctx, "kube-proxy", logs["kube-proxy"], "sh", "-c",
		`exec kube-proxy --proxy-mode="$(cat /run/lab/proxy-mode 2>/dev/null || echo iptables)" "$@"`, "kube-proxy",
		"--kubeconfig="+ServicesKubeconfig, "--hostname-override="+node.Name,
		"--cluster-cidr="+strings.Join(config.Families.PodNetworks(), ","),
		"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0")
	router := []string{
		"kube-router", "--kubeconfig=" + ServicesKubeconfig, "--hostname-override=" + node.Name,
		"--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--run-loadbalancer=false",
	}
	if config.Families.IPv6() {
		router = append(router, "--enable-ipv6=true")
	}
	for _, network := range config.Families.ServiceNetworks() {
		router = append(router, "--service-cluster-ip-range="+network)
	}
	go services.keep(ctx, "kube-router", logs["kube-router"], router...)
}
