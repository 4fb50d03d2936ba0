package command

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// version is set by the linker:
// -X github.com/kubectl-wg/kubectl-wg/plugin/command.version=v1.2.3
var version = "dev"

// commit and date are set by the linker for a release, which is built without the
// version control's state, so that each clone makes the same program.
var commit, date string

// defaultImage is the image of the probe of the same version.
func defaultImage() string { return "ghcr.io/kubectl-wg/wg-probe:" + version }

// build is what `kubectl wg version` prints.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`     // empty where the sources were not in a repository
	Date     string `json:"commitDate,omitempty"` // RFC 3339
	Evidence string `json:"evidence"`             // schema
	Image    string `json:"image"`
	Go       string `json:"goVersion"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{
		Version: version, Evidence: evidence.Schema, Image: defaultImage(), Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH, Commit: commit, Date: date,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || commit != "" {
		return b
	}
	modified := ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			b.Commit = setting.Value
		case setting.Key == "vcs.time":
			b.Date = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			modified = "-dirty"
		}
	}
	if b.Commit != "" {
		b.Commit += modified
	}
	return b
}

func versionText() string {
	b := thisBuild()
	text := fmt.Sprintf("kubectl-wg %s\nevidence   %s\nimage      %s\n", b.Version, b.Evidence, b.Image)
	if b.Commit != "" {
		text += fmt.Sprintf("commit     %s (%s)\n", b.Commit, b.Date)
	}
	return text + fmt.Sprintf("built with %s for %s\n", b.Go, b.Platform)
}

func (r *root) version() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:        "version",
		SuggestFor: []string{"about", "info"},
		Short:      "Print the version, the schema of the evidence and the probe's image",
		Args:       noArguments,
		RunE: func(*cobra.Command, []string) error {
			text, err := versionAs(output)
			if err != nil {
				return err
			}
			_, err = io.WriteString(r.streams.Out, text)
			return err
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "text", "format: text, json or yaml")
	completeWith(command, "output", "text", "json", "yaml")
	return command
}

func versionAs(format string) (string, error) {
	switch format {
	case "text":
		return versionText(), nil
	case "json":
		text, err := json.MarshalIndent(thisBuild(), "", "  ")
		return string(text) + "\n", err
	case "yaml":
		text, err := yaml.Marshal(thisBuild())
		return string(text), err
	}
	return "", usagef("one of: text, json, yaml", "invalid value %q for -o", format)
}
