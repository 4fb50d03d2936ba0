package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/flannel"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// Init is the first process of a node. It never returns but for an error, which ends the node.
func Init(ctx context.Context, configPath, name string) error {
	config, err := LoadConfig(configPath)
	if err != nil {
		return err
	}
	node, err := config.node(name)
	if err != nil {
		return err
	}
	logs := map[string]*os.File{}
	for _, service := range []string{"containerd", "kubelet", "flannel", "felix", "routes", "cilium", "wireguard", "kube-proxy", "kube-router"} { // while the machine's files are in sight
		logs[service], err = os.OpenFile(LogFile(config.Logs, name, service), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("opening the log of %s: %w", service, err)
		}
	}
	if err := joinSystem(config.Cgroup, name, len(config.Nodes)); err != nil {
		return err
	}
	if config.Cilium() {
		if err := makeCgroup(config.ciliumCgroup(name)); err != nil {
			return err
		}
	}
	if err := enterRoot(config, node); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	for _, entry := range environment() {
		key, value, _ := strings.Cut(entry, "=")
		if err := os.Setenv(key, value); err != nil {
			return fmt.Errorf("setting %s: %w", key, err)
		}
	}
	if err := writeServiceConfigs(config, node); err != nil {
		return err
	}
	services := newServices()
	go services.reap()
	return boot(ctx, config, node, services, logs)
}

// boot starts the services in the order in which each finds what it needs: containerd while the API server is still
// starting, kubelet only when the pod network is there, so that its first report is already Ready.
func boot(ctx context.Context, config HostConfig, node Node, services *services, logs map[string]*os.File) error {
	if err := os.MkdirAll("/run/lab", 0o755); err != nil {
		return fmt.Errorf("preparing /run/lab: %w", err)
	}
	go services.keep(ctx, "containerd", logs["containerd"], "containerd", "--config", containerdConfigFile)
	runtime := make(chan error, 1)
	go func() { runtime <- loadImages(ctx, services, logs["containerd"]) }()

	if err := awaitAPI(ctx); err != nil {
		return err
	}
	network := bootFlannel
	switch {
	case config.Calico():
		network = bootCalico
	case config.Cilium():
		network = bootCilium
	}
	if err := network(ctx, config, node, services, logs); err != nil {
		return err
	}
	if config.Services {
		keepServices(ctx, config, node, services, logs)
	}
	if err := <-runtime; err != nil {
		return err
	}
	services.keep(ctx, "kubelet", logs["kubelet"], append([]string{"kubelet"}, kubeletArgs(node, config.Families)...)...)
	return ctx.Err()
}

// bootFlannel starts flannel and writes the pod network when it has registered.
func bootFlannel(ctx context.Context, config HostConfig, node Node, services *services, logs map[string]*os.File) error {
	go services.keep(ctx, "flannel", logs["flannel"], selfPath, "flannel", "--node", node.Name)
	if err := await(ctx, func() bool { return exists(flannel.SubnetFile) }); err != nil {
		return fmt.Errorf("waiting for flannel: %w", err)
	}
	return writeCNI(node, config.Families, flannel.SubnetFile)
}

func loadImages(ctx context.Context, services *services, log *os.File) error {
	if err := await(ctx, func() bool {
		conn, err := net.Dial("unix", containerdSocket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}); err != nil {
		return fmt.Errorf("waiting for containerd: %w", err)
	}
	images, err := filepath.Glob(filepath.Join(imagesDir, "*.tar"))
	if err != nil {
		return fmt.Errorf("listing images: %w", err)
	}
	for _, image := range images {
		if err := services.run(log, "ctr", "--namespace", "k8s.io", "images", "import", image); err != nil {
			return fmt.Errorf("loading %s: %w", image, err)
		}
	}
	return nil
}

// awaitAPI does not look at the certificate: kubelet and flannel do.
func awaitAPI(ctx context.Context) error {
	client := &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	}
	url := fmt.Sprintf("https://%s:%d/readyz", topology.Control().IPv4.Addr(), topology.APIPort)
	slog.Info("waiting for the API server", "url", url)
	err := await(ctx, func() bool {
		response, err := client.Get(url)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	if err != nil {
		return fmt.Errorf("waiting for the API server: %w", err)
	}
	return nil
}

// await asks until the answer is yes. There is no limit but the caller's: a VM may be slow, and whoever brings the lab
// up watches the clock.
func await(ctx context.Context, ready func() bool) error {
	for !ready() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
