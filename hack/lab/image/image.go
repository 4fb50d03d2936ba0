// Package image makes one-layer container images out of files, without Docker, a registry or a network, as archives
// that `ctr images import` takes. Equal files make equal images.
package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// File is one entry of the layer: a copy of Source, a symbolic link, or a directory that everyone may write to.
type File struct {
	Path   string // in the image, without a leading slash
	Source string
	Link   string
	Dir    bool
}

// Spec of an image.
type Spec struct {
	Name       string
	Files      []File
	Entrypoint []string
	Cmd        []string
	User       string
}

// Write makes the image's archive.
func Write(path string, spec Spec) error {
	layer, err := pack(spec.Files)
	if err != nil {
		return fmt.Errorf("packing %s: %w", spec.Name, err)
	}
	opened, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer)), nil })
	if err != nil {
		return fmt.Errorf("making the layer of %s: %w", spec.Name, err)
	}
	made, err := mutate.AppendLayers(empty.Image, opened)
	if err != nil {
		return fmt.Errorf("adding the layer of %s: %w", spec.Name, err)
	}
	config, err := made.ConfigFile()
	if err != nil {
		return fmt.Errorf("reading the configuration of %s: %w", spec.Name, err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{Entrypoint: spec.Entrypoint, Cmd: spec.Cmd, User: spec.User, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}}
	if made, err = mutate.ConfigFile(made, config); err != nil {
		return fmt.Errorf("configuring %s: %w", spec.Name, err)
	}
	tag, err := name.NewTag(spec.Name)
	if err != nil {
		return fmt.Errorf("naming %s: %w", spec.Name, err)
	}
	if err := tarball.WriteToFile(path, tag, made); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func pack(files []File) ([]byte, error) {
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	for _, file := range files {
		header := &tar.Header{Name: file.Path, Mode: 0o755, Typeflag: tar.TypeReg}
		var data []byte
		switch {
		case file.Link != "":
			header.Typeflag, header.Linkname = tar.TypeSymlink, file.Link
		case file.Dir:
			header.Typeflag, header.Mode, header.Name = tar.TypeDir, 0o1777, file.Path+"/"
		default:
			var err error
			if data, err = os.ReadFile(file.Source); err != nil {
				return nil, err
			}
			header.Size = int64(len(data))
		}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(data); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}
