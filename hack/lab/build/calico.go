package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// calicoKinds are the definitions of Calico's kinds as one file; they are in its module.
func calicoKinds(ctx context.Context, module string) ([]byte, error) {
	dir, err := moduleDir(ctx, module, "github.com/projectcalico/calico")
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "libcalico-go/config/crd/*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("looking for the definitions of Calico's kinds: %w", err)
	}
	if len(files) == 0 {
		return nil, errors.New("no definitions of Calico's kinds in its module")
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
