package main

import (
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// assemble makes the image of one platform from the compiled program. All times
// are the zero of Unix.
func (p program) assemble(compiled []byte, platform v1.Platform, version string) (v1.Image, error) {
	image := empty.Image
	if p.roots {
		certificates, err := roots()
		if err != nil {
			return nil, err
		}
		if image, err = add(image, file{rootsPath, 0o644, certificates}); err != nil {
			return nil, err
		}
	}
	image, err := add(image, file{p.path(), 0o755, compiled})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	config.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Config = p.configuration(version)
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, fmt.Errorf("configuring the image: %w", err)
	}
	return image, nil
}

// add adds a layer of one file, as COPY does.
func add(image v1.Image, f file) (v1.Image, error) {
	made, err := layer(f)
	if err != nil {
		return nil, err
	}
	history := v1.History{Created: v1.Time{Time: time.Unix(0, 0).UTC()}, CreatedBy: "COPY " + f.path}
	image, err = mutate.Append(image, mutate.Addendum{Layer: made, History: history})
	if err != nil {
		return nil, fmt.Errorf("adding the layer: %w", err)
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
