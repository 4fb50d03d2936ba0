package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"os"
	"strings"
	"testing"
)

// krew/wg.yaml and this tool must name the same archives and programs.
func TestKrewManifest(t *testing.T) {
	source, err := os.ReadFile("../../krew/wg.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(source), "- selector:")[1:]
	if len(sections) != len(platforms) {
		t.Fatalf("krew/wg.yaml has %d platforms, a release %d", len(sections), len(platforms))
	}
	for i, p := range platforms {
		for _, want := range []string{
			"os: " + p.system + "\n", "arch: " + p.machine + "\n", "bin: " + p.program() + "\n",
			"/releases/download/{{ .TagName }}/" + p.archive("{{ .TagName }}") + `" .TagName`,
		} {
			if !strings.Contains(sections[i], want) {
				t.Errorf("platform %d of krew/wg.yaml: no %q in\n%s", i+1, want, sections[i])
			}
		}
	}
}

var content = []file{{"LICENSE", 0o644, []byte("a licence")}, {"kubectl-wg", 0o755, []byte("a program")}}

func TestPackTwice(t *testing.T) {
	for _, p := range platforms {
		first, err := pack(p.archive("v1"), content)
		if err != nil {
			t.Fatal(err)
		}
		second, err := pack(p.archive("v1"), content)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Errorf("two archives for %s differ", p.system)
		}
	}
}

func TestPackedProgramIsExecutable(t *testing.T) {
	packed, err := pack("x.tar.gz", content)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(plain)
	for _, want := range content {
		header, err := files.Next()
		if err != nil || header.Name != want.name || header.FileInfo().Mode() != want.mode {
			t.Errorf("header %+v, %v; want %s %s", header, err, want.name, want.mode)
		}
	}
	packed, err = pack("x.zip", content)
	if err != nil {
		t.Fatal(err)
	}
	zipped, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	if len(zipped.File) != len(content) || zipped.File[1].Mode() != content[1].mode {
		t.Errorf("zip holds %+v", zipped.File)
	}
}
