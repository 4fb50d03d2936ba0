package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const version = "v1.2.3"

func TestSameAsDockerfile(t *testing.T) {
	source, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	declared, err := lastStage(string(source), version)
	if err != nil {
		t.Fatal(err)
	}
	if declared.from != "scratch" {
		t.Errorf("the Dockerfile's image is made from %s, this one from scratch", declared.from)
	}
	if want := []string{"--from=build", programPath, programPath}; !reflect.DeepEqual(declared.copies, [][]string{want}) {
		t.Errorf("the Dockerfile copies %q, want only %q", declared.copies, want)
	}
	if got := configuration(version); !reflect.DeepEqual(got, declared.config) {
		t.Errorf("configuration\n%+v, the Dockerfile declares\n%+v", got, declared.config)
	}
}

var platforms = []v1.Platform{
	{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}, {OS: "linux", Architecture: "arm", Variant: "v7"},
}

func archive(t *testing.T, of []v1.Platform) string {
	t.Helper()
	tag, err := name.NewTag("example.org/wg-probe:" + version)
	if err != nil {
		t.Fatal(err)
	}
	var images []platformImage
	for _, platform := range of {
		image, err := assemble([]byte("program for "+platform.String()), platform, version)
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, platformImage{platform, image})
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := write(path, tag, images); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEqualSourcesMakeEqualArchives(t *testing.T) {
	for _, of := range [][]v1.Platform{platforms[:1], platforms} {
		var archives [2][]byte
		for i := range archives {
			var err error
			if archives[i], err = os.ReadFile(archive(t, of)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(archives[0], archives[1]) {
			t.Errorf("two archives for %v differ", of)
		}
	}
}

func TestOnePlatform(t *testing.T) {
	image, err := tarball.ImageFromPath(archive(t, platforms[2:]), nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != "arm" || config.Variant != "v7" || !reflect.DeepEqual(config.Config, configuration(version)) {
		t.Errorf("configuration %+v", config)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v; want one", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	files := tar.NewReader(content)
	header, err := files.Next()
	if err != nil || header.Name != "wg-probe" || header.Mode != 0o755 || header.ModTime.Unix() != 0 {
		t.Errorf("header %+v, %v", header, err)
	}
	if _, err := files.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("more than one file in the layer: %v", err)
	}
}

func TestSeveralPlatforms(t *testing.T) {
	file, err := os.Open(archive(t, platforms))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	contents := map[string][]byte{}
	for files := tar.NewReader(file); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if contents[header.Name], err = io.ReadAll(files); err != nil {
			t.Fatal(err)
		}
	}
	var outer, inner v1.IndexManifest
	if err := json.Unmarshal(contents["index.json"], &outer); err != nil || len(outer.Manifests) != 1 {
		t.Fatalf("index.json: %s, %v", contents["index.json"], err)
	}
	if got := outer.Manifests[0].Annotations["io.containerd.image.name"]; got != "example.org/wg-probe:"+version {
		t.Errorf("name %q", got)
	}
	if err := json.Unmarshal(contents["blobs/sha256/"+outer.Manifests[0].Digest.Hex], &inner); err != nil {
		t.Fatal(err)
	}
	for i, manifest := range inner.Manifests {
		if !manifest.Platform.Equals(platforms[i]) {
			t.Errorf("platform %s, want %s", manifest.Platform, platforms[i])
		}
	}
	if len(inner.Manifests) != len(platforms) {
		t.Errorf("%d images, want %d", len(inner.Manifests), len(platforms))
	}
}
