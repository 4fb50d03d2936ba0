package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// manifest is what krew reads
// (https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest).
type manifest struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Version          string     `json:"version"`
		Homepage         string     `json:"homepage"`
		ShortDescription string     `json:"shortDescription"`
		Description      string     `json:"description"`
		Caveats          string     `json:"caveats"`
		Platforms        []selected `json:"platforms"`
	} `json:"spec"`
}

type selected struct {
	Selector struct {
		MatchLabels struct {
			OS   string `json:"os"`
			Arch string `json:"arch"`
		} `json:"matchLabels"`
	} `json:"selector"`
	URI    string `json:"uri"`
	SHA256 string `json:"sha256"`
	Bin    string `json:"bin"`
}

func rendered(t *testing.T, r release) (manifest, string) {
	t.Helper()
	source, err := os.ReadFile("../../krew/wg.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for i, p := range platforms {
		sums[r.archive(p)] = strings.Repeat(string(rune('a'+i%6)), 64)
	}
	text, err := r.manifest(string(source), sums)
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := yaml.UnmarshalStrict([]byte(text), &m); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return m, text
}

var releases = []release{{plugin: "wg", version: "v1.2.3"}, {plugin: "wg-verify", version: "v1.2.3-rc.1"}}

var (
	sum     = regexp.MustCompile(`^[a-f0-9]{64}$`)
	version = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)
)

// What `validate-krew-manifest` of krew checks without installing; `make krew`
// runs that program itself and installs from the archives.
func TestManifestIsValid(t *testing.T) {
	for _, r := range releases {
		m, text := rendered(t, r)
		if m.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || m.Kind != "Plugin" {
			t.Errorf("%s, %s", m.APIVersion, m.Kind)
		}
		if m.Metadata.Name != r.plugin {
			t.Errorf("name %q, want %q", m.Metadata.Name, r.plugin)
		}
		if m.Spec.Version != r.version || !version.MatchString(m.Spec.Version) {
			t.Errorf("version %q", m.Spec.Version)
		}
		if len(m.Spec.Platforms) != len(platforms) {
			t.Fatalf("%d platforms, a release has %d", len(m.Spec.Platforms), len(platforms))
		}
		for i, p := range platforms {
			got := m.Spec.Platforms[i]
			if got.Selector.MatchLabels.OS != p.system || got.Selector.MatchLabels.Arch != p.machine {
				t.Errorf("platform %d selects %+v, want %+v", i, got.Selector, p)
			}
			want := "https://github.com/kubectl-wg/kubectl-wg/releases/download/" + r.version + "/" + r.archive(p)
			if got.URI != want {
				t.Errorf("uri %q, want %q", got.URI, want)
			}
			if !sum.MatchString(got.SHA256) {
				t.Errorf("sha256 %q", got.SHA256)
			}
			if got.Bin != r.program(p) {
				t.Errorf("bin %q, want %q", got.Bin, r.program(p))
			}
		}
		if strings.Contains(text, "files:") {
			t.Error("files are chosen: then LICENSE has to be among them")
		}
	}
}

// What reviewers of the krew index ask for
// (https://krew.sigs.k8s.io/docs/developer-guide/develop/best-practices/ and the
// checklist of its pull requests).
func TestManifestIsWritten(t *testing.T) {
	for _, r := range releases {
		m, _ := rendered(t, r)
		short := m.Spec.ShortDescription
		if len(short) > 50 || strings.ContainsAny(short, "\r\n") || strings.HasSuffix(short, ".") {
			t.Errorf("short description %q of %d characters: at most 50, one line, no full stop", short, len(short))
		}
		if strings.Contains(strings.ToLower(short), "kubectl") || strings.Contains(strings.ToLower(short), "plugin") {
			t.Errorf("short description %q says what all plugins are", short)
		}
		for _, usage := range []string{"kubectl " + r.plugin, "--", "Usage", "Start with"} {
			if strings.Contains(m.Spec.Description, usage) {
				t.Errorf("the description explains usage: %q", usage)
			}
		}
		if strings.Contains(m.Spec.Caveats, "kubectl "+r.plugin+" ") {
			t.Errorf("the caveats explain usage:\n%s", m.Spec.Caveats)
		}
		if !strings.HasPrefix(m.Spec.Homepage, "https://") {
			t.Errorf("homepage %q", m.Spec.Homepage)
		}
		for line := range strings.Lines(m.Spec.Description + m.Spec.Caveats) {
			if len(line) > 100 {
				t.Errorf("krew prints texts as they are, this line is long: %s", line)
			}
		}
	}
}

// A platform that was not built is not in the manifest; without any there is none.
func TestManifestOfSomePlatforms(t *testing.T) {
	source, err := os.ReadFile("../../krew/wg.yaml")
	if err != nil {
		t.Fatal(err)
	}
	of, err := chosen("linux/arm64,windows/amd64")
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for _, p := range of {
		sums[releases[0].archive(p)] = strings.Repeat("a", 64)
	}
	text, err := releases[0].manifest(string(source), sums)
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := yaml.UnmarshalStrict([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Spec.Platforms) != 2 || m.Spec.Platforms[1].Selector.MatchLabels.OS != "windows" {
		t.Errorf("platforms %+v", m.Spec.Platforms)
	}
	if _, err := releases[0].manifest(string(source), nil); err == nil {
		t.Error("no error without an archive")
	}
	if _, err := chosen("linux/mips"); err == nil {
		t.Error("no error for a platform that is not one")
	}
}
