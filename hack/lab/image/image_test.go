package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	spec := Spec{
		Name:       "localhost/lab/test:1",
		Files:      []File{{Path: "bin/program", Source: program}, {Path: "bin/link", Link: "program"}, {Path: "tmp", Dir: true}},
		Entrypoint: []string{"/bin/program"},
		User:       "65535",
	}
	var archives [2][]byte
	for i := range archives {
		path := filepath.Join(dir, fmt.Sprint(i, ".tar"))
		if err := Write(path, spec); err != nil {
			t.Fatal(err)
		}
		var err error
		if archives[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("the same files make another image")
	}
	made, err := tarball.ImageFromPath(filepath.Join(dir, "0.tar"), nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := made.ConfigFile()
	if err != nil || !slices.Equal(config.Config.Entrypoint, spec.Entrypoint) || config.Config.User != spec.User || config.OS != "linux" {
		t.Errorf("configuration %+v (%v)", config, err)
	}
	layers, err := made.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers (%v), want one", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	var got []string
	for reader := tar.NewReader(content); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %o %s", header.Name, header.Mode, header.Linkname))
	}
	if want := []string{"bin/program 755 ", "bin/link 755 program", "tmp/ 1777 "}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}
