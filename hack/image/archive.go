package main

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

type platformImage struct {
	platform v1.Platform
	image    v1.Image
}

// write makes the archive, an OCI layout if it is asked for or there are several
// images. A half-written one is never left under its name.
func write(path string, tag name.Tag, images []platformImage, asLayout bool) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".image-")
	if err != nil {
		return fmt.Errorf("creating the archive: %w", err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if len(images) == 1 && !asLayout {
		err = tarball.Write(tag, images[0].image, file)
	} else {
		err = writeIndex(file, tag, images)
	}
	if err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	if err := file.Chmod(0o644); err != nil {
		return fmt.Errorf("opening the archive to its readers: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("naming the archive: %w", err)
	}
	return nil
}

// writeIndex writes an OCI image layout
// (https://github.com/opencontainers/image-spec/blob/main/image-layout.md).
func writeIndex(out io.Writer, tag name.Tag, images []platformImage) error {
	index := v1.ImageIndex(empty.Index)
	for _, each := range images {
		platform := each.platform
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: each.image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	index = mutate.IndexMediaType(index, types.OCIImageIndex)
	folder, err := os.MkdirTemp("", "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	written, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	// containerd takes the name from its own annotation, others from OCI's.
	names := map[string]string{"io.containerd.image.name": tag.Name(), "org.opencontainers.image.ref.name": tag.TagStr()}
	if err := written.AppendIndex(index, layout.WithAnnotations(names)); err != nil {
		return err
	}
	return pack(out, folder)
}

func pack(out io.Writer, folder string) error {
	archive := tar.NewWriter(out)
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		header := tar.Header{Typeflag: tar.TypeReg, Name: filepath.ToSlash(relative), Mode: 0o644, Size: int64(len(content)), ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(&header); err != nil {
			return err
		}
		_, err = archive.Write(content)
		return err
	})
	if err != nil {
		return err
	}
	return archive.Close()
}
