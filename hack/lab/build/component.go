package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// KubernetesVersion is what the programs of the kube module say of themselves.
const KubernetesVersion = "v1.36.3"

// component is something that `go build` makes from one module of the lab.
type component struct {
	name     string
	module   string // directory of the module, relative to the lab's source
	packages []string
	tags     string
	ldflags  string
	expect   string // how long a cold build takes on two cores
	place    []placement
	// files copies what the module has besides programs into a directory, nil if there is nothing.
	files func(ctx context.Context, module, dir string) error
}

// placement is where an output of a component, or a second name of it, goes in the distribution: a file or a directory.
type placement struct{ output, path string }

// components in the order of their worth to someone who waits: the long one first.
var components = []component{
	{
		name: "kubernetes", module: "kube", packages: []string{"."}, expect: "7 min",
		ldflags: kubernetesVersionFlags(),
		place: []placement{
			{"kube", "bin/etcd"}, {"kube", "bin/kube-apiserver"}, {"kube", "bin/kube-controller-manager"},
			{"kube", "bin/kube-scheduler"}, {"kube", "bin/kubelet"}, {"kube", "bin/kubectl"},
		},
	},
	{
		name: "runtime", module: "runtime", packages: []string{"tool"}, expect: "90 s",
		tags: "no_btrfs no_devmapper no_zfs",
		place: []placement{
			{"containerd", "bin/containerd"}, {"containerd-shim-runc-v2", "bin/containerd-shim-runc-v2"}, {"ctr", "bin/ctr"},
			{"bridge", "cni/bridge"}, {"host-local", "cni/host-local"}, {"loopback", "cni/loopback"}, {"portmap", "cni/portmap"},
		},
	},
	{
		name: "pause", module: ".", packages: []string{"./pause"}, expect: "5 s",
		place: []placement{{"pause", "bin/pause"}},
	},
	{
		name: "liar", module: ".", packages: []string{"./liar"}, expect: "5 s",
		place: []placement{{"liar", "bin/liar"}},
	},
}

func kubernetesVersionFlags() string {
	major, minor, _ := strings.Cut(strings.TrimPrefix(KubernetesVersion, "v"), ".")
	minor, _, _ = strings.Cut(minor, ".")
	var flags []string
	for _, target := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, variable := range []string{"gitVersion=" + KubernetesVersion, "gitMajor=" + major, "gitMinor=" + minor, "gitTreeState=clean"} {
			flags = append(flags, "-X", target+"."+variable)
		}
	}
	return strings.Join(flags, " ")
}

// key is a hash of all that decides the component's output: the toolchain, the flags, and the sources with the pins of
// everything they import.
func (c component) key(source string) (string, error) {
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.Version(), runtime.GOOS, runtime.GOARCH, c.packages, c.tags, c.ldflags)
	files, err := c.inputs(source)
	if err != nil {
		return "", fmt.Errorf("listing the sources of %s: %w", c.name, err)
	}
	for _, name := range files {
		fmt.Fprintln(hash, name)
		file, err := os.Open(filepath.Join(source, name))
		if err != nil {
			return "", fmt.Errorf("hashing the sources of %s: %w", c.name, err)
		}
		_, err = io.Copy(hash, file)
		file.Close()
		if err != nil {
			return "", fmt.Errorf("hashing the sources of %s: %w", c.name, err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

// inputs are relative to the lab's source and sorted. A component of the lab's own module has no third-party code, so
// its own directory is all; the others have go.mod and go.sum in theirs.
func (c component) inputs(source string) ([]string, error) {
	dir := c.module
	if dir == "." {
		dir = c.packages[0]
	}
	entries, err := os.ReadDir(filepath.Join(source, dir))
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, "go.") || strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			files = append(files, filepath.Join(dir, name))
		}
	}
	slices.Sort(files)
	return files, nil
}
