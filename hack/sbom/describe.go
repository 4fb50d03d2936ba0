package main

import (
	"bytes"
	"crypto/sha1" // SPDX 2.3 asks for it, beside SHA256
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
)

func digest(content []byte) string { return fmt.Sprintf("%x", sha256.Sum256(content)) }

// describe makes the document of artefacts. Equal artefacts make an equal
// document: its namespace is made from their digests.
func describe(name, created string, artefacts []artefact) (document, error) {
	d := document{
		Version: "SPDX-2.3", License: "CC0-1.0", ID: documentID, Name: name,
		Creation: creation{Created: created, Creators: []string{supplier, "Tool: kubectl-wg/hack/sbom"}},
	}
	modules := map[string]pack{}
	var digests strings.Builder
	for i, a := range artefacts {
		id := fmt.Sprintf("SPDXRef-Artefact-%d", i)
		digests.WriteString(a.sha256)
		d.Packages = append(d.Packages, a.describe(id))
		d.relate(documentID, "DESCRIBES", id)
		needed := map[string]bool{}
		for j, f := range a.files {
			d.addFile(id, fmt.Sprintf("SPDXRef-File-%d-%d", i, j), f)
			for _, module := range compiled(f.content) {
				modules[module.ID] = module
				needed[module.ID] = true
			}
		}
		if len(needed) == 0 {
			return d, fmt.Errorf("%s holds no program of Go", a.name)
		}
		for _, module := range slices.Sorted(maps.Keys(needed)) {
			d.relate(id, "DEPENDS_ON", module)
		}
	}
	for _, module := range slices.Sorted(maps.Keys(modules)) {
		d.Packages = append(d.Packages, modules[module])
	}
	d.Namespace = fmt.Sprintf("%s/spdx/%s-%s", project, name, digest([]byte(digests.String())))
	return d, nil
}

func (d *document) relate(from, kind, to string) {
	d.Relationships = append(d.Relationships, relationship{from, kind, to})
}

func (d *document) addFile(artefact, id string, f file) {
	entry := contained{
		ID: id, Name: "./" + strings.TrimPrefix(f.name, "/"), Concluded: unknown, Copyright: unknown,
		Checksums: []checksum{
			{"SHA1", fmt.Sprintf("%x", sha1.Sum(f.content))},
			{"SHA256", digest(f.content)},
		},
	}
	if len(compiled(f.content)) > 0 {
		entry.Types = []string{"BINARY"}
	}
	d.Files = append(d.Files, entry)
	d.relate(artefact, "CONTAINS", id)
}

func (a artefact) describe(id string) pack {
	described := pack{
		ID: id, Name: a.name, Version: a.version, Supplier: supplier, Location: unknown,
		Checksums: []checksum{{"SHA256", a.sha256}},
		Concluded: "Apache-2.0", Declared: "Apache-2.0", Copyright: unknown,
	}
	if a.purl != "" {
		described.Purpose = "CONTAINER"
		described.External = []reference{{"PACKAGE-MANAGER", "purl", a.purl}}
		return described
	}
	described.Purpose = "ARCHIVE"
	described.FileName = a.name
	described.Location = project + "/releases/download/" + a.version + "/" + a.name
	return described
}

// compiled are the modules of which a program was built, and the standard
// library; none for a file that is not a program of Go.
func compiled(content []byte) []pack {
	info, err := buildinfo.Read(bytes.NewReader(content))
	if err != nil {
		return nil
	}
	return modules(info)
}

func modules(info *debug.BuildInfo) (modules []pack) {
	version := strings.TrimPrefix(info.GoVersion, "go")
	modules = append(modules, module("stdlib", version, "https://go.dev", "BSD-3-Clause", ""))
	for _, dependency := range info.Deps {
		modules = append(modules, describeModule(dependency))
	}
	return modules
}

func describeModule(m *debug.Module) pack {
	if m.Replace != nil {
		m = m.Replace
	}
	comment := ""
	if m.Sum != "" {
		comment = "checksum of Go: " + m.Sum
	}
	return module(m.Path, m.Version, unknown, unknown, comment) // the purl is where it is from
}

func module(path, version, location, licence, comment string) pack {
	purl := "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
	return pack{
		ID: "SPDXRef-Go-" + identifier(path+"-"+version), Name: path, Version: version, Supplier: unknown, Location: location,
		Concluded: unknown, Declared: licence, Copyright: unknown, Comment: comment,
		External: []reference{{"PACKAGE-MANAGER", "purl", purl}},
	}
}

// identifier has only the characters that an SPDX identifier may have.
func identifier(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, text)
}
