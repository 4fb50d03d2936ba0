package build

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

// CiliumVersion is what Cilium's programs say of themselves.
const CiliumVersion = "v1.20.2"

// extra is what only some networks need. It is built, and installed, when a lab with one of them is started.
type extra struct {
	components []component
	packages   []debian
}

var extras = map[string]extra{
	topology.Cilium: {
		components: []component{{
			name: "cilium", module: "cilium", packages: []string{"tool"}, expect: "15 min", tags: "osusergo",
			ldflags: "-X github.com/cilium/cilium/pkg/version.ciliumVersion=" + CiliumVersion,
			trees: []tree{
				{"github.com/cilium/cilium", "bpf", "bpf"},
				{"github.com/cilium/cilium", "pkg/k8s/apis/cilium.io/client/crds", "crds"},
			},
			place: []placement{
				{"daemon", "bin/cilium-agent"}, {"cilium-dbg", "bin/cilium-dbg"}, {"cilium-cni", "cni/cilium-cni"},
				{"bpf", "cilium/bpf"}, {"crds", "cilium/crds"},
			},
		}},
		packages: []debian{{"clang-19", "clang-19"}},
	},
}

// chosen are the components of all networks and those of one plugin, "" for none.
func chosen(plugin string) []component {
	return append(components[:len(components):len(components)], extras[plugin].components...)
}

// tree is a directory of a module's source that goes into the output as it is.
type tree struct{ module, dir, output string }

// copyTrees adds the directories to the output of a component.
func (c component) copyTrees(ctx context.Context, source, output string) error {
	for _, t := range c.trees {
		command := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", t.module)
		command.Dir = filepath.Join(source, c.module)
		command.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
		dir, err := command.Output()
		if err != nil {
			return fmt.Errorf("finding the source of %s: %w", t.module, err)
		}
		from := filepath.Join(strings.TrimSpace(string(dir)), t.dir)
		if err := os.CopyFS(filepath.Join(output, t.output), os.DirFS(from)); err != nil {
			return fmt.Errorf("copying %s of %s: %w", t.dir, t.module, err)
		}
	}
	return nil
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
