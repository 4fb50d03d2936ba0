package main

import (
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// program is one of the two that have an image. The Dockerfile has a stage of its
// name.
type program struct {
	name        string
	description string
	linked      string // where the linker sets the version: PACKAGE.VARIABLE
	roots       bool   // the image has certificates of public authorities
}

var programs = []program{
	{
		name:        "wg-probe",
		description: "The probe of kubectl wg: reads WireGuard's state and watches the wire, changes nothing",
		linked:      "main.version",
	}, {
		name:        "kubectl-wg",
		description: "kubectl wg for acceptance in the cluster: verifies that WireGuard encrypts traffic of pods",
		linked:      "github.com/kubectl-wg/kubectl-wg/plugin/command.version",
		roots:       true,
	},
}

func programNamed(name string) (program, error) {
	i := slices.IndexFunc(programs, func(p program) bool { return p.name == name })
	if i < 0 {
		return program{}, fmt.Errorf("no program is named %q", name)
	}
	return programs[i], nil
}

// path is where the program is in its image.
func (p program) path() string { return "/" + p.name }

// linkerFlags sets the version, and the commit where the program prints it.
func (p program) linkerFlags(version, commit, date string) string {
	flags := "-s -w -X " + p.linked + "=" + version
	if name, isPlugin := strings.CutSuffix(p.linked, "/command.version"); isPlugin && commit != "" {
		flags += fmt.Sprintf(" -X %[1]s/command.commit=%[2]s -X %[1]s/command.date=%[3]s", name, commit, date)
	}
	return flags
}

// configuration is what the program's stage of the Dockerfile declares.
func (p program) configuration(version string) v1.Config {
	return v1.Config{
		Entrypoint: []string{p.path()},
		User:       "65532:65532",
		Labels: map[string]string{
			"org.opencontainers.image.title":       p.name,
			"org.opencontainers.image.description": p.description,
			"org.opencontainers.image.source":      "https://github.com/kubectl-wg/kubectl-wg",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     version,
		},
	}
}
