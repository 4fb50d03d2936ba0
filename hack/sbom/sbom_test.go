package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

const created = "2026-01-02T04:04:05+01:00"

// itself is this test's program. Go writes no modules into tests.
func itself(t *testing.T) []byte {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func tarOf(t *testing.T, files ...file) []byte {
	t.Helper()
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	for _, f := range files {
		header := tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o755, Size: int64(len(f.content))}
		if err := archive.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func gzipOf(t *testing.T, content []byte) []byte {
	t.Helper()
	var buffer bytes.Buffer
	compressor := gzip.NewWriter(&buffer)
	if _, err := compressor.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := compressor.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func zipOf(t *testing.T, files ...file) []byte {
	t.Helper()
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	for _, f := range files {
		entry, err := archive.Create(f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := entry.Write(f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// layoutOf is an OCI layout with one image for arm/v7.
func layoutOf(t *testing.T, files ...file) []byte {
	t.Helper()
	layer := gzipOf(t, tarOf(t, files...))
	manifest := fmt.Appendf(nil, `{"layers":[{"digest":"sha256:%s"}]}`, digest(layer))
	const platform = `{"os":"linux","architecture":"arm","variant":"v7"}`
	index := fmt.Appendf(nil, `{"manifests":[{"digest":"sha256:%s","platform":%s}]}`, digest(manifest), platform)
	const annotations = `{"io.containerd.image.name":"example.org/a/probe:v1"}`
	top := fmt.Appendf(nil, `{"manifests":[{"digest":"sha256:%s","annotations":%s}]}`, digest(index), annotations)
	return tarOf(t, file{"index.json", top}, file{"blobs/sha256/" + digest(layer), layer},
		file{"blobs/sha256/" + digest(manifest), manifest}, file{"blobs/sha256/" + digest(index), index})
}

func written(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func sbom(t *testing.T, paths ...string) (document, string) {
	t.Helper()
	var buffer bytes.Buffer
	if err := write(&buffer, "product", "v1", created, paths); err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(buffer.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	return d, buffer.String()
}

func TestDocument(t *testing.T) {
	program := file{"program", itself(t)}
	licence := file{"LICENSE", []byte("a licence")}
	for name, content := range map[string][]byte{
		"a.tar.gz": gzipOf(t, tarOf(t, licence, program)), "a.zip": zipOf(t, licence, program),
		"a.tar": layoutOf(t, licence, program),
	} {
		path := written(t, name, content)
		d, text := sbom(t, path)
		if _, again := sbom(t, path); again != text {
			t.Errorf("%s: two documents differ", name)
		}
		if d.Version != "SPDX-2.3" || d.Creation.Created != "2026-01-02T03:04:05Z" {
			t.Errorf("%s: %s, %s", name, d.Version, d.Creation.Created)
		}
		consistent(t, d)
		if !slices.ContainsFunc(d.Packages, func(p pack) bool { return p.Name == "stdlib" }) {
			t.Errorf("%s: no standard library", name)
		}
		if len(d.Files) != 2 || d.Files[0].Checksums[1].Value != digest(licence.content) {
			t.Errorf("%s: files %+v", name, d.Files)
		}
		if !slices.Equal(d.Files[1].Types, []string{"BINARY"}) || d.Files[0].Types != nil {
			t.Errorf("%s: types of files %+v", name, d.Files)
		}
	}
}

var identifiers = regexp.MustCompile(`^SPDXRef-[a-zA-Z0-9.-]+$`)

// consistent checks that identifiers are valid and unique and that relationships
// are between what the document has.
func consistent(t *testing.T, d document) {
	t.Helper()
	known := map[string]bool{documentID: true}
	for _, p := range d.Packages {
		if known[p.ID] || !identifiers.MatchString(p.ID) {
			t.Errorf("identifier %q", p.ID)
		}
		known[p.ID] = true
	}
	for _, f := range d.Files {
		if known[f.ID] || !identifiers.MatchString(f.ID) {
			t.Errorf("identifier %q", f.ID)
		}
		known[f.ID] = true
	}
	for _, r := range d.Relationships {
		if !known[r.From] || !known[r.To] {
			t.Errorf("relationship %+v", r)
		}
	}
}

func TestImage(t *testing.T) {
	path := written(t, "a.tar", layoutOf(t, file{"probe", itself(t)}))
	d, _ := sbom(t, path)
	image := d.Packages[0]
	if image.Name != "example.org/a/probe linux/arm/v7" || image.Purpose != "CONTAINER" {
		t.Errorf("image %+v", image)
	}
	if want := "pkg:oci/probe@sha256%3A" + image.Checksums[0].Value; !strings.HasPrefix(image.External[0].Locator, want) {
		t.Errorf("purl %q, want %q…", image.External[0].Locator, want)
	}
}

func TestModules(t *testing.T) {
	replaced := &debug.Module{Path: "example.org/new", Version: "v2.0.0+incompatible"}
	info := &debug.BuildInfo{GoVersion: "go1.26.0", Deps: []*debug.Module{
		{Path: "github.com/Azure/go-ansiterm", Version: "v1.0.0", Sum: "h1:abc="},
		{Path: "example.org/old", Version: "v1.0.0", Replace: replaced},
	}}
	for i, want := range []struct{ purl, location, comment string }{
		{"pkg:golang/stdlib@1.26.0", "https://go.dev", ""},
		{
			"pkg:golang/github.com/Azure/go-ansiterm@v1.0.0",
			unknown,
			"checksum of Go: h1:abc=",
		},
		{
			"pkg:golang/example.org/new@v2.0.0%2Bincompatible",
			unknown, "",
		},
	} {
		got := modules(info)[i]
		if got.External[0].Locator != want.purl || got.Location != want.location || got.Comment != want.comment {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if compiled([]byte("a licence")) != nil {
		t.Error("a text has modules")
	}
	if found := compiled(itself(t)); len(found) == 0 || found[0].Version != strings.TrimPrefix(runtime.Version(), "go") {
		t.Errorf("modules of this program %+v", found)
	}
}

// What holds no program of Go has no bill, and neither has what is not an artefact.
func TestErrors(t *testing.T) {
	for name, content := range map[string][]byte{
		"a.tar.gz": gzipOf(t, tarOf(t, file{"LICENSE", nil})), "b.tar.gz": []byte("no gzip"), "a.zip": []byte("no zip"),
		"a.tar": tarOf(t, file{"index.json", []byte(`{}`)}), "a.deb": nil,
	} {
		if err := write(&bytes.Buffer{}, "product", "v1", created, []string{written(t, name, content)}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := write(&bytes.Buffer{}, "product", "v1", "yesterday", nil); err == nil {
		t.Error("no error for a time that is none")
	}
}
