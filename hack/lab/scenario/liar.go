package scenario

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/image"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
)

// lyingImage is the tag under which a node has either the probe or one that lies.
const lyingImage = "localhost/lab/probe:lies"

// lying are the arguments of verify that have it use that image.
var lying = []string{"--image", lyingImage, "--image-pull-policy", "Never"}

// plant gives every node an image of that tag: a lying one, in the way that the scenario says, to those that are to lie,
// and to the others the real one. probe is the real image's archive.
func plant(ctx context.Context, lab *state.Lab, lies map[string]string, probe string) error {
	if lies == nil {
		return nil
	}
	if probe == "" {
		return errors.New("a lying probe is made from the real one: --load-image names its archive")
	}
	dir, err := os.MkdirTemp("", "liar")
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := extract(probe, "wg-probe", filepath.Join(dir, "real-probe")); err != nil {
		return err
	}
	for _, node := range lab.Nodes {
		files := []image.File{{Path: "wg-probe", Source: filepath.Join(dir, "real-probe")}}
		if how := lies[node]; how != "" {
			if err := os.WriteFile(filepath.Join(dir, "liar"), []byte(how), 0o644); err != nil {
				return fmt.Errorf("writing how it lies: %w", err)
			}
			files = []image.File{
				{Path: "wg-probe", Source: filepath.Join(lab.Dist, "bin", "liar")},
				{Path: "real-probe", Source: filepath.Join(dir, "real-probe")},
				{Path: "liar", Source: filepath.Join(dir, "liar")},
			}
		}
		archive := filepath.Join(dir, node+".tar")
		if err := image.Write(archive, image.Spec{Name: lyingImage, Files: files, Cmd: []string{"/wg-probe"}}); err != nil {
			return err
		}
		data, err := os.ReadFile(archive)
		if err != nil {
			return fmt.Errorf("reading the image: %w", err)
		}
		if said, err := execute(ctx, lab, Command{Node: node, Argv: []string{"ctr", "images", "import", "-"}, Stdin: data}); err != nil {
			return fmt.Errorf("loading the image into %s: %w\n%s", node, err, said)
		}
	}
	return nil
}

// extract copies one file out of an image's archive.
func extract(archive, name, target string) error {
	packed, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		return fmt.Errorf("reading %s: %w", archive, err)
	}
	files := mutate.Extract(packed)
	defer files.Close()
	reader := tar.NewReader(files)
	for {
		header, err := reader.Next()
		if err != nil {
			return fmt.Errorf("looking for %s in %s: %w", name, archive, err)
		}
		if filepath.Clean(header.Name) != name && filepath.Clean(header.Name) != "/"+name {
			continue
		}
		file, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o755)
		if err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
		_, err = io.Copy(file, reader)
		return errors.Join(err, file.Close())
	}
}
