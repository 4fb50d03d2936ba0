package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"slices"
	"testing"
)

var content = []file{{"LICENSE", 0o644, []byte("a licence")}, {"kubectl-wg", 0o755, []byte("a program")}}

func TestPackTwice(t *testing.T) {
	for _, p := range platforms {
		first, err := pack(releases[0].archive(p), content)
		if err != nil {
			t.Fatal(err)
		}
		second, err := pack(releases[0].archive(p), content)
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

// Each archive has the plugin under the name that kubectl looks for, the licence
// that krew asks for, and where a shell can run it the completion script.
func TestFiles(t *testing.T) {
	for _, r := range releases {
		for _, p := range platforms {
			var names []string
			for _, f := range r.files(p, []byte("program"), additions{[]byte("licence"), []byte("script")}) {
				names = append(names, f.name)
			}
			want := []string{"LICENSE", r.program(p)}
			if p.system != "windows" {
				want = append(want, r.completer())
			}
			if !slices.Equal(names, want) {
				t.Errorf("%s for %s/%s: %q, want %q", r.plugin, p.system, p.machine, names, want)
			}
		}
	}
}

func TestNames(t *testing.T) {
	verify := releases[1]
	for got, want := range map[string]string{
		verify.binary():                              "kubectl-wg_verify",
		verify.completer():                           "kubectl_complete-wg_verify",
		verify.archive(platform{"linux", "arm"}):     "kubectl-wg_verify_v1.2.3-rc.1_linux_arm.tar.gz",
		verify.archive(platform{"windows", "arm64"}): "kubectl-wg_verify_v1.2.3-rc.1_windows_arm64.zip",
		verify.program(platform{"windows", "arm64"}): "kubectl-wg_verify.exe",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
