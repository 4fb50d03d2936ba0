package command

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
)

// Of what -o json prints, kubectl's own formats print parts. The exit code is
// the verdict's in every format.
func TestFormats(t *testing.T) {
	file := filepath.Join(t.TempDir(), "template")
	if err := os.WriteFile(file, []byte("{.run.nodes[*]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	recording := recordings + "host-vxlan.ndjson"
	for name, test := range map[string]struct {
		args []string
		want string // "…" at its end stands for more
	}{
		"jsonpath":          {[]string{"-o", "jsonpath={.verdict} {.firstCause.code}"}, "FAIL WG0601"},
		"jsonpath, range":   {[]string{"-o", `jsonpath={range .pairs[*]}{.node}{"\n"}{end}`}, "node-1\nnode-2\n"},
		"jsonpath, number":  {[]string{"-o", `jsonpath={.pairs[0].family}`}, "4"},
		"jsonpath, missing": {[]string{"-o", "jsonpath={.nothing}"}, ""},
		"jsonpath, file":    {[]string{"-o", "jsonpath-file=" + file}, "node-1 node-2"},
		"jsonpath as JSON":  {[]string{"-o", "jsonpath-as-json={.exitCode}"}, "[\n    1\n]\n"},
		"go-template":       {[]string{"-o", `go-template={{range .run.nodes}}{{.}} {{end}}`}, "node-1 node-2 "},
		"template":          {[]string{"--template", "{{.kind}}"}, "Verification"},
		"template and text": {[]string{"-o", "text", "--template", "{{.kind}}"}, "✗ FAIL  …"},
		"name":              {[]string{"-o", "name"}, "verification.kubectl-wg.io/…"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := main(t, append([]string{"replay", recording}, test.args...)...)
			if beginning, more := strings.CutSuffix(test.want, "…"); more && strings.HasPrefix(stdout, beginning) {
				stdout = test.want
			}
			if code != exitNotVerified || stdout != test.want || stderr != "" {
				t.Errorf("exit %d, stdout %q, want %q; stderr %q", code, stdout, test.want, stderr)
			}
		})
	}
}

// A template that cannot be read is a usage error, found before anything is
// done. One that does not suit the report is an error without the report in it; the
// exit code stays the verdict's.
func TestTemplateErrors(t *testing.T) {
	recording := recordings + "host-vxlan.ndjson"
	const strict = "--allow-missing-template-keys=false"
	const allFields = "hint: -o json shows all fields"
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"unknown":              {[]string{"-o", "xml"}, exitUsage, "openmetrics, name, go-template,"},
		"empty":                {[]string{"-o", ""}, exitUsage, "hint: one of: text"},
		"no template":          {[]string{"-o", "jsonpath"}, exitUsage, "no template given"},
		"jsonpath, syntax":     {[]string{"-o", "jsonpath={.verdict"}, exitUsage, "unclosed action"},
		"go-template, syntax":  {[]string{"-o", "go-template={{.verdict"}, exitUsage, "unclosed action"},
		"no such file":         {[]string{"-o", "jsonpath-file=/nowhere"}, exitUsage, "no such file"},
		"jsonpath, missing":    {[]string{"-o", "jsonpath={.nothing}", strict}, exitNotVerified, "is not found"},
		"jsonpath, type":       {[]string{"-o", "jsonpath={.run[0]}"}, exitNotVerified, allFields},
		"go-template, type":    {[]string{"-o", "go-template={{.run.id.x}}"}, exitNotVerified, allFields},
		"go-template, missing": {[]string{"--template", "{{.x}}", strict}, exitNotVerified, "no entry for key"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := main(t, append([]string{"replay", recording}, test.args...)...)
			if code != test.code || stdout != "" || !strings.Contains(stderr, test.want) || len(stderr) > 500 {
				t.Errorf("exit %d, want %d; stdout %q; stderr %q", code, test.code, stdout, stderr)
			}
		})
	}
}

// A template takes the escapes out of JSON; what a node wrote reaches the
// terminal escaped all the same.
func TestTemplatesAreSafeToShow(t *testing.T) {
	file, err := os.Open(recordings + "host-vxlan.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	run, err := recording.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	j := check.Judge(run)
	j.FirstCause.Text = "red \x1b[31m, right \u202e, two\nlines"
	for _, format := range []string{"jsonpath={.firstCause.text}", "go-template={{.firstCause.text}}"} {
		r := &root{}
		flags := r.addFormatFlags(&cobra.Command{})
		*flags.OutputFormat = format
		write, err := r.writerFor(flags, "fail")
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := write(&text, j); err != nil {
			t.Fatal(err)
		}
		if got := text.String(); got != `red \u001b[31m, right \u202e, two`+"\nlines" {
			t.Errorf("%s: %q", format, got)
		}
	}
}

// Without a result there is a document as well, in the formats that are data; the
// same error is on stderr, in few lines.
func TestCouldNotRun(t *testing.T) {
	const away = " --server http://127.0.0.1:1 --request-timeout 2s"
	healthy := recordings + "host-healthy-wireguard.ndjson"
	for line, test := range map[string]struct {
		kind   string
		others []string // formats that are no document
	}{
		"verify" + away:         {"Verification", []string{"text", "short", "name", "openmetrics", "jsonpath={.verdict}"}},
		"replay -":              {"Verification", []string{"text", "short", "html", "go-template={{.verdict}}"}},
		"status" + away:         {"Status", []string{"wide", "dump", "name", "jsonpath={.status}"}},
		"preflight" + away:      {"Preflight", []string{"text"}},
		"perf --yes" + away:     {"Performance", []string{"text"}},
		"perf a b --yes" + away: {"Performance", []string{"text"}},
		"compare - " + healthy:  {"Comparison", []string{"text"}},
	} {
		for _, format := range append(test.others, "json", "yaml") {
			args := append(strings.Fields(line), "-o", format)
			code, stdout, stderr := main(t, args...)
			var document struct {
				APIVersion, Kind, Verdict string
				ExitCode                  int
				Error                     struct{ Message, Hint string }
			}
			err := yaml.Unmarshal([]byte(stdout), &document) // JSON is YAML
			isDocument := err == nil && strings.HasPrefix(document.APIVersion, "kubectl-wg.io/v") && document.Kind == test.kind &&
				document.Verdict == "ERROR" && document.ExitCode == exitCouldNotRun && document.Error.Message != ""
			isOther := slices.Contains(test.others, format)
			if code != exitCouldNotRun || isDocument == isOther || isOther && stdout != "" ||
				strings.HasPrefix(stdout, "{") != (format == "json") {
				t.Errorf("%q: exit %d, stdout %q", args, code, stdout)
			}
			if !strings.Contains("\n"+stderr, "\nerror: ") || strings.Count(stderr, "\n") > 4 {
				t.Errorf("%q: stderr %q", args, stderr)
			}
		}
	}
	for _, line := range []string{"verify --family 5", "status --for 0s", "preflight --port 0", "perf a", "compare a"} {
		code, stdout, _ := main(t, append(strings.Fields(line), "-o", "json")...)
		if code != exitUsage || stdout != "" {
			t.Errorf("%s: exit %d, stdout %q", line, code, stdout)
		}
	}
}

// --fail-on warn changes the exit code, and every format says why.
func TestFailOnWarn(t *testing.T) {
	for format, want := range map[string]string{
		"text": "(exit 1: --fail-on warn, warnings: 2)", "short": "exit=1 --fail-on warn", "json": `"exitCode": 1`,
		"jsonpath={.reason}": "--fail-on warn, warnings: 2",
	} {
		recording := recordings + "host-healthy-wireguard.ndjson"
		code, stdout, _ := main(t, "replay", recording, "--fail-on", "warn", "-o", format)
		if code != exitNotVerified || !strings.Contains(strings.Join(strings.Fields(stdout), " "), want) {
			t.Errorf("%s: exit %d, %q", format, code, stdout)
		}
		if code, _, _ := main(t, "replay", recording, "-o", format); code != exitVerified {
			t.Errorf("%s: exit %d without it", format, code)
		}
	}
}

// The figures of every pair are shown if asked for.
func TestDetails(t *testing.T) {
	recording := recordings + "host-healthy-wireguard.ndjson"
	_, few, _ := main(t, "replay", recording)
	_, all, _ := main(t, "replay", recording, "--details")
	if strings.Count(few, "P4 ") != 1 || strings.Count(all, "P4 ") != 3 {
		t.Errorf("%s\n%s", few, all)
	}
}
