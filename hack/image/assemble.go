package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// programPath is where the probe is in the image.
const programPath = "/wg-probe"

// configuration is what the last stage of the Dockerfile declares.
func configuration(version string) v1.Config {
	return v1.Config{
		Entrypoint: []string{programPath},
		User:       "65532:65532",
		Labels: map[string]string{
			"org.opencontainers.image.title":       "wg-probe",
			"org.opencontainers.image.description": "The probe of kubectl wg: reads WireGuard's state and watches the wire, changes nothing",
			"org.opencontainers.image.source":      "https://github.com/kubectl-wg/kubectl-wg",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     version,
		},
	}
}

// assemble makes the image of one platform. All times are the zero of Unix.
func assemble(program []byte, platform v1.Platform, version string) (v1.Image, error) {
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	header := tar.Header{
		Typeflag: tar.TypeReg, Name: strings.TrimPrefix(programPath, "/"), Mode: 0o755, Size: int64(len(program)), ModTime: time.Unix(0, 0),
	}
	if err := archive.WriteHeader(&header); err != nil {
		return nil, fmt.Errorf("writing the layer: %w", err)
	}
	if _, err := archive.Write(program); err != nil {
		return nil, fmt.Errorf("writing the layer: %w", err)
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("writing the layer: %w", err)
	}
	opened, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil },
		tarball.WithCompressionLevel(gzip.BestCompression))
	if err != nil {
		return nil, fmt.Errorf("making the layer: %w", err)
	}
	history := v1.History{Created: v1.Time{Time: time.Unix(0, 0).UTC()}, CreatedBy: "COPY wg-probe " + programPath}
	image, err := mutate.Append(empty.Image, mutate.Addendum{Layer: opened, History: history})
	if err != nil {
		return nil, fmt.Errorf("adding the layer: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	config.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Config = configuration(version)
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, fmt.Errorf("configuring the image: %w", err)
	}
	return image, nil
}

// compressed is what a node downloads, in bytes.
func compressed(image v1.Image) (int64, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, fmt.Errorf("reading the image's manifest: %w", err)
	}
	size := manifest.Config.Size
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size, nil
}
