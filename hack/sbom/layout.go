package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
)

// descriptor is a reference in an OCI layout
// (https://github.com/opencontainers/image-spec/blob/main/descriptor.md).
type descriptor struct {
	Digest   string `json:"digest"`
	Platform struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
	} `json:"platform"`
	Annotations map[string]string `json:"annotations"`
}

// blobs are the files of a layout by their digests.
type blobs map[string][]byte

func (b blobs) read(digest string, into any) error {
	content, known := b[digest]
	if !known {
		return fmt.Errorf("the layout has no %s", digest)
	}
	return json.Unmarshal(content, into)
}

// images reads a layout with one index of images, as hack/image writes it.
func images(content []byte, version string) ([]artefact, error) {
	files, err := archived(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	contents := blobs{}
	var index struct{ Manifests []descriptor }
	for _, f := range files {
		contents["sha256:"+path.Base(f.name)] = f.content
		if f.name == "index.json" {
			if err := json.Unmarshal(f.content, &index); err != nil {
				return nil, err
			}
		}
	}
	if len(index.Manifests) != 1 {
		return nil, errors.New("the layout has no index of one image")
	}
	name := index.Manifests[0].Annotations["io.containerd.image.name"]
	name = strings.TrimSuffix(name, ":"+version)
	var platforms struct{ Manifests []descriptor }
	if err := contents.read(index.Manifests[0].Digest, &platforms); err != nil {
		return nil, err
	}
	var found []artefact
	for _, d := range platforms.Manifests {
		image, err := contents.image(name, version, d)
		if err != nil {
			return nil, err
		}
		found = append(found, image)
	}
	return found, nil
}

// image reads the layers of one platform's image.
func (b blobs) image(name, version string, d descriptor) (artefact, error) {
	var manifest struct{ Layers []descriptor }
	if err := b.read(d.Digest, &manifest); err != nil {
		return artefact{}, err
	}
	platform := d.Platform.OS + "/" + d.Platform.Architecture
	if d.Platform.Variant != "" {
		platform += "/" + d.Platform.Variant
	}
	image := artefact{
		name: name + " " + platform, version: version, sha256: strings.TrimPrefix(d.Digest, "sha256:"),
		purl: fmt.Sprintf("pkg:oci/%s@%s?arch=%s&repository_url=%s", path.Base(name), url.QueryEscape(d.Digest),
			d.Platform.Architecture, url.QueryEscape(name)),
	}
	for _, layer := range manifest.Layers {
		files, err := compressed(b[layer.Digest])
		if err != nil {
			return artefact{}, fmt.Errorf("layer %s: %w", layer.Digest, err)
		}
		image.files = append(image.files, files...)
	}
	return image, nil
}
