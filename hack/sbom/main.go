// Command sbom writes the software bill of materials of what a release ships, as
// SPDX 2.3 in JSON: of archives with the plugin, or of an image for several
// platforms. It opens the artefacts themselves and reads which modules the
// programs in them were built of (package debug/buildinfo), so that it describes
// what is shipped and not what could be built.
//
//	sbom -name kubectl-wg -version v1.2.3 -created 2026-01-02T03:04:05Z ARTEFACT… > kubectl-wg.spdx.json
//
// Equal artefacts make an equal document. It knows no licences but the project's
// own and Go's: those of the modules are stated as not asserted.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	name := flag.String("name", "", "name of the document")
	version := flag.String("version", "dev", "version of the artefacts")
	created := flag.String("created", "", "time of the release, RFC 3339")
	flag.Parse()
	if err := write(os.Stdout, *name, *version, *created, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func write(w io.Writer, name, version, created string, paths []string) error {
	at, err := time.Parse(time.RFC3339, created)
	if err != nil {
		return fmt.Errorf("reading the time of the release: %w", err)
	}
	var artefacts []artefact
	for _, path := range paths {
		opened, err := open(path, version)
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		artefacts = append(artefacts, opened...)
	}
	described, err := describe(name, at.UTC().Format(time.RFC3339), artefacts)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(described)
}
