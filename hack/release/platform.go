package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/hack/rename"
)

// platform is a pair of GOOS and GOARCH.
type platform struct{ system, machine string }

// platforms are those of the plugin, in the order of the krew manifest.
var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"}, {"linux", "arm"},
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

// chosen are the platforms that a list names, all if it is empty.
func chosen(list string) ([]platform, error) {
	if list == "" {
		return platforms, nil
	}
	var found []platform
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(platforms, func(p platform) bool { return p.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("%q is not a platform of the plugin, these are: %v", name, platforms)
		}
		found = append(found, platforms[i])
	}
	return found, nil
}

// String is the platform as in linux/amd64.
func (p platform) String() string { return p.system + "/" + p.machine }

// environment is what the compiler gets; for arm what the images are built for.
func (p platform) environment() []string {
	environment := []string{"CGO_ENABLED=0", "GOWORK=off", "GOOS=" + p.system, "GOARCH=" + p.machine}
	if p.machine == "arm" {
		environment = append(environment, "GOARM=7")
	}
	return environment
}

// release is what all archives of a release have in common.
type release struct {
	plugin  string // its name as kubectl knows it: wg
	version string // a tag, or dev
	commit  string // its hash
	date    string // of the commit, RFC 3339
}

// archive is the file's name in a release.
func (r release) archive(p platform) string {
	kind := "tar.gz"
	if p.system == "windows" {
		kind = "zip"
	}
	return fmt.Sprintf("%s_%s_%s_%s.%s", r.binary(), r.version, p.system, p.machine, kind)
}

// program is the plugin's file in the archive.
func (r release) program(p platform) string {
	if p.system == "windows" {
		return r.binary() + ".exe"
	}
	return r.binary()
}

// binary is the file that kubectl runs for the plugin.
func (r release) binary() string { return "kubectl-" + rename.File(r.plugin) }

// completer is the file that kubectl runs to complete the plugin's command line.
func (r release) completer() string { return "kubectl_complete-" + rename.File(r.plugin) }
