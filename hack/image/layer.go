package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// file is a file of an image.
type file struct {
	path    string // absolute
	mode    int64
	content []byte
}

// layer makes a layer with a file and the folders that it is in. All times are the
// zero of Unix.
func layer(f file) (v1.Layer, error) {
	var content bytes.Buffer
	archive := tar.NewWriter(&content)
	for _, folder := range folders(f.path) {
		header := tar.Header{Typeflag: tar.TypeDir, Name: folder, Mode: 0o755, ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(&header); err != nil {
			return nil, fmt.Errorf("writing the layer: %w", err)
		}
	}
	header := tar.Header{
		Typeflag: tar.TypeReg, Name: strings.TrimPrefix(f.path, "/"), Mode: f.mode,
		Size: int64(len(f.content)), ModTime: time.Unix(0, 0),
	}
	if err := archive.WriteHeader(&header); err != nil {
		return nil, fmt.Errorf("writing the layer: %w", err)
	}
	if _, err := archive.Write(f.content); err != nil {
		return nil, fmt.Errorf("writing the layer: %w", err)
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("writing the layer: %w", err)
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil }
	compressed, err := tarball.LayerFromOpener(opener, tarball.WithCompressionLevel(gzip.BestCompression))
	if err != nil {
		return nil, fmt.Errorf("making the layer: %w", err)
	}
	return compressed, nil
}

// folders are those above a file, from the top on: etc/, etc/ssl/, …
func folders(of string) (above []string) {
	for folder := path.Dir(of); folder != "/"; folder = path.Dir(folder) {
		above = append([]string{strings.TrimPrefix(folder, "/") + "/"}, above...)
	}
	return above
}
