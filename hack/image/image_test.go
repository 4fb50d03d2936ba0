package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
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
	declared, err := stages(string(source), version)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		stage := declared[p.name]
		if stage == nil || stage.from != "scratch" {
			t.Fatalf("the Dockerfile has no stage %s from scratch: %+v", p.name, stage)
		}
		want := []string{p.path()}
		if p.roots {
			want = []string{rootsPath, p.path()}
		}
		var copied []string
		for _, words := range stage.copies {
			if len(words) != 3 || words[1] != words[2] {
				t.Fatalf("%s: COPY %q", p.name, words)
			}
			copied = append(copied, words[2])
		}
		if !slices.Equal(copied, want) {
			t.Errorf("%s: the Dockerfile copies %q, want only %q", p.name, copied, want)
		}
		if got := p.configuration(version); !reflect.DeepEqual(got, stage.config) {
			t.Errorf("configuration\n%+v, the Dockerfile declares\n%+v", got, stage.config)
		}
	}
}

var platforms = []v1.Platform{
	{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}, {OS: "linux", Architecture: "arm", Variant: "v7"},
}

func (p program) archive(t *testing.T, of []v1.Platform) string {
	t.Helper()
	tag, err := name.NewTag("example.org/" + p.name + ":" + version)
	if err != nil {
		t.Fatal(err)
	}
	var images []platformImage
	for _, platform := range of {
		image, err := p.assemble([]byte("program for "+platform.String()), platform, version)
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, platformImage{platform, image})
	}
	path := filepath.Join(t.TempDir(), "image.tar")
	if err := write(path, tag, images, false); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEqualSourcesMakeEqualArchives(t *testing.T) {
	for _, p := range programs {
		for _, of := range [][]v1.Platform{platforms[:1], platforms} {
			var archives [2][]byte
			for i := range archives {
				var err error
				if archives[i], err = os.ReadFile(p.archive(t, of)); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(archives[0], archives[1]) {
				t.Errorf("two archives of %s for %v differ", p.name, of)
			}
		}
	}
}

func TestOnePlatform(t *testing.T) {
	for _, p := range programs {
		image, err := tarball.ImageFromPath(p.archive(t, platforms[2:]), nil)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Architecture != "arm" || config.Variant != "v7" ||
			!reflect.DeepEqual(config.Config, p.configuration(version)) {
			t.Errorf("configuration %+v", config)
		}
		want := []string{p.name + " 755"}
		if p.roots {
			certificates := []string{"etc/ 755", "etc/ssl/ 755", "etc/ssl/certs/ 755", "etc/ssl/certs/ca-certificates.crt 644"}
			want = append(certificates, want...)
		}
		if got := contents(t, image); !slices.Equal(got, want) {
			t.Errorf("%s holds %q, want %q", p.name, got, want)
		}
	}
}

// contents are the names and modes of what is in the image's layers, in order.
func contents(t *testing.T, image v1.Image) (found []string) {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		content, err := layer.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		defer content.Close()
		for files := tar.NewReader(content); ; {
			header, err := files.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if header.ModTime.Unix() != 0 || header.Uid != 0 {
				t.Errorf("header %+v", header)
			}
			found = append(found, fmt.Sprintf("%s %o", header.Name, header.Mode))
		}
	}
	return found
}

// The certificates are those that Go on Linux can read, and enough to be Mozilla's.
func TestRoots(t *testing.T) {
	text, err := roots()
	if err != nil {
		t.Fatal(err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		t.Error("not a file of certificates")
	}
	if n := bytes.Count(text, []byte("BEGIN CERTIFICATE")); n < 80 {
		t.Errorf("%d certificates", n)
	}
}

func TestPrograms(t *testing.T) {
	if _, err := programNamed("nonsense"); err == nil {
		t.Error("no error")
	}
	plugin, err := programNamed("kubectl-wg")
	if err != nil {
		t.Fatal(err)
	}
	const folder = "github.com/kubectl-wg/kubectl-wg/plugin/command."
	want := "-s -w -X " + folder + "version=v1 -X " + folder + "commit=abc -X " + folder + "date=today"
	if got := plugin.linkerFlags("v1", "abc", "today"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSeveralPlatforms(t *testing.T) {
	file, err := os.Open(programs[0].archive(t, platforms))
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
