package build

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// CiliumVersion is what Cilium's programs say of themselves.
const CiliumVersion = "v1.20.2"

// cilium is the agent, its CNI plugin and its command, which only a lab with one of its networks needs: with the sources
// of its BPF programs, which agents compile when they start, and the definitions of its kinds.
var cilium = component{
	name: "cilium", module: "cilium", packages: []string{"tool"}, expect: "15 min", tags: "osusergo",
	ldflags: "-X github.com/cilium/cilium/pkg/version.ciliumVersion=" + CiliumVersion,
	place: []placement{
		{"daemon", "bin/cilium-agent"}, {"cilium-dbg", "bin/cilium-dbg"}, {"cilium-cni", "cni/cilium-cni"},
		{"bpf", "cilium/bpf"}, {"crds", "cilium/crds"},
	},
	files: func(ctx context.Context, module, dir string) error {
		source, err := moduleDir(ctx, module, "github.com/cilium/cilium")
		if err != nil {
			return err
		}
		for name, path := range map[string]string{"bpf": "bpf", "crds": "pkg/k8s/apis/cilium.io/client/crds"} {
			if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(source, path))); err != nil {
				return err
			}
		}
		return nil
	},
}

// CiliumCRDs is the directory with Cilium's kinds, of a distribution that was built for it.
func (d Distribution) CiliumCRDs() string { return filepath.Join(d.Dir, "cilium", "crds") }

// packagesOf are what a lab needs of Debian besides what all labs need.
func packagesOf(needs []string) []debian {
	if slices.ContainsFunc(needs, topology.OfCilium) {
		return []debian{{"clang-19", "clang-19"}}
	}
	return nil
}

// moduleDir is where the source of a dependency of one of the lab's modules is.
func moduleDir(ctx context.Context, module, path string) (string, error) {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", path)
	list.Dir = module
	list.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	output, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("finding the module %s: %w", path, err)
	}
	return strings.TrimSpace(string(output)), nil
}

// link places a file, or all files of a directory, at another path.
func link(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rest)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.Link(path, target)
	})
}
