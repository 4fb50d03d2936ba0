// Package felix runs Calico's agent in a node, and stands in for the part of calico-node that the lab does without: the
// routes between nodes that BIRD learns by BGP, which pods' packets take where they are not encrypted.
package felix

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

// Options of one node's Felix.
type Options struct {
	NodeName   string
	Kubeconfig string
}

// environment is Felix's configuration in addition to its FelixConfiguration (felix/config), without what the lab has not.
func (o Options) environment() []string {
	return append(os.Environ(),
		"KUBECONFIG="+o.Kubeconfig, "FELIX_FELIXHOSTNAME="+o.NodeName, "FELIX_DATASTORETYPE=kubernetes",
		"FELIX_IPV6SUPPORT=false", "FELIX_XDPENABLED=false", "FELIX_HEALTHENABLED=false",
		"FELIX_USAGEREPORTINGENABLED=false", "FELIX_LOGSEVERITYSCREEN=info", "FELIX_LOGFILEPATH=none",
		"FELIX_LOGSEVERITYSYS=none", "FELIX_LOGSEVERITYFILE=none",
		// Which one it would find depends on what is there first: rules of the other would stay when it restarts.
		"FELIX_IPTABLESBACKEND=NFT",
	)
}

// Run becomes Felix once the cluster has Calico's objects: it would end again and again without them. It returns only an
// error.
func Run(ctx context.Context, options Options) error {
	client, err := options.client()
	if err != nil {
		return err
	}
	if err := await(ctx, func() bool {
		_, err := client.Resource(resource("clusterinformations")).Get(ctx, "default", v1.GetOptions{})
		return err == nil
	}); err != nil {
		return fmt.Errorf("waiting for Calico's objects: %w", err)
	}
	path, err := exec.LookPath("calico-felix")
	if err != nil {
		return fmt.Errorf("finding Felix: %w", err)
	}
	return syscall.Exec(path, []string{path}, options.environment())
}

func (o Options) client() (dynamic.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading Felix' kubeconfig: %w", err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return client, nil
}

func resource(name string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "crd.projectcalico.org", Version: "v1", Resource: name}
}

func await(ctx context.Context, ready func() bool) error {
	for !ready() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	return nil
}
