package build

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const calicoCRDs = "calico-crds.yaml"

// calico is Felix and the CNI plugin, which only a lab with that backend needs.
var calico = component{
	name: "calico", module: "calico", packages: []string{"tool"}, expect: "4 min",
	place: []placement{
		{"calico-felix", "bin/calico-felix"}, {"calico", "cni/calico"}, {"calico", "cni/calico-ipam"},
		{calicoCRDs, "share/" + calicoCRDs},
	},
	files: func(ctx context.Context, module, dir string) error {
		crds, err := calicoKinds(ctx, module)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, calicoCRDs), crds, 0o644)
	},
}

// componentsOf are those that every lab needs, and those of the backends.
func componentsOf(backends []string) []component {
	all := slices.Clone(components)
	if slices.Contains(backends, calico.name) {
		all = append(all, calico)
	}
	return all
}

// calicoKinds are the definitions of Calico's kinds as one file; they are in its module.
func calicoKinds(ctx context.Context, module string) ([]byte, error) {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/projectcalico/calico")
	list.Dir = module
	list.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	output, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("finding Calico's module: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(output)), "libcalico-go/config/crd/*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("Calico's module has no definitions of its kinds: %w", err)
	}
	var all [][]byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return bytes.Join(all, []byte("\n---\n")), nil
}
