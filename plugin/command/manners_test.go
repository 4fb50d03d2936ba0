package command

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/yaml"
)

// Help shows a command's own flags; those of kubectl are a command of their own.
func TestOptions(t *testing.T) {
	_, help, _ := main(t, "verify", "--help")
	_, options, _ := main(t, "options")
	for _, flag := range []string{"--kubeconfig", "--as-group", "--insecure-skip-tls-verify", "--token"} {
		if strings.Contains(help, flag+" ") {
			t.Errorf("help shows %s", flag)
		}
		if !strings.Contains(options, flag) {
			t.Errorf("options lacks %s", flag)
		}
	}
	for _, text := range []string{"--namespace", "--verbose", `Use "kubectl wg options"`} {
		if !strings.Contains(help, text) {
			t.Errorf("help lacks %s", text)
		}
	}
	if strings.Contains(options, "--log ") {
		t.Error("options shows a flag for measurements")
	}
}

// kubectl's forms of -v work, and -v alone is a switch.
func TestLevels(t *testing.T) {
	for line, want := range map[string]level{
		"version": 0, "version -v": 1, "version -v=6": 6, "version -v 7": 7, "-v 8 version": 8, "--v=9 version": 9,
		"version --v 2": 2, "version -v9": 9, "version --verbose": 1, "version --verbose=false": 0, "-qv version": 1,
	} {
		r := &root{streams: Streams{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}, config: genericclioptions.NewConfigFlags(true)}
		command := r.command()
		command.SetArgs(joinLevel(strings.Fields(line)))
		if err := command.Execute(); err != nil || r.level != want || r.verbose != (want > 0) {
			t.Errorf("%s: level %d, verbose %t, %v", line, r.level, r.verbose, err)
		}
	}
	if got := joinLevel([]string{"-v", "--", "-v", "6"}); !slices.Equal(got, []string{"-v", "--", "-v", "6"}) {
		t.Errorf("%q", got)
	}
}

// With -v the log is this program's; client-go's own lines need a level of
// requests.
func TestLogOfRequests(t *testing.T) {
	for level, want := range map[string]bool{"-v": false, "-v=5": false, "-v=6": true} {
		code, _, stderr := main(t, "cleanup", level, "--server", "http://127.0.0.1:1")
		if code != exitCouldNotRun || strings.Contains(stderr, "127.0.0.1:1/api") && strings.Contains(stderr, "msg=Response") != want {
			t.Errorf("%s: exit %d\n%s", level, code, stderr)
		}
		if !want && strings.Contains(stderr, "eature gate") {
			t.Errorf("%s shows client-go's feature gates:\n%s", level, stderr)
		}
	}
}

func TestVersion(t *testing.T) {
	_, text, _ := main(t, "--version")
	_, same, _ := main(t, "version")
	if text != same || !strings.Contains(text, "kubectl-wg dev\n") || !strings.Contains(text, "built with go") {
		t.Errorf("%q, %q", text, same)
	}
	for format, decode := range map[string]func([]byte, any) error{
		"json": json.Unmarshal, "yaml": func(text []byte, into any) error { return yaml.Unmarshal(text, into) },
	} {
		_, text, _ := main(t, "version", "-o", format)
		var got build
		if err := decode([]byte(text), &got); err != nil || got != thisBuild() || got.Go == "" || got.Platform == "" {
			t.Errorf("%s: %+v, %v", format, got, err)
		}
	}
}

func TestExplain(t *testing.T) {
	for line, want := range map[string][]string{
		"explain":               {"WG01xx: cluster, configuration and the run itself\n  WG0101  ", "WG06xx: proof on the wire\n"},
		"explain WG04":          {"WG04xx: routing\n  WG0401  "},
		"explain 0401":          {"WG0401  "},
		"explain WG0401 wg0501": {"WG0401  ", "\n\nWG0501  "},
	} {
		code, stdout, stderr := main(t, strings.Fields(line)...)
		for _, text := range want {
			if code != 0 || !strings.Contains(stdout, text) {
				t.Errorf("%s: exit %d, %s\n%s", line, code, stderr, stdout)
			}
		}
	}
	_, list, _ := main(t, "explain")
	var codes []string
	for line := range strings.Lines(list) {
		if strings.HasPrefix(line, "  WG") {
			codes = append(codes, strings.Fields(line)[0])
		}
	}
	if !slices.IsSorted(codes) || len(codes) < 30 {
		t.Errorf("%q", codes)
	}
	_, one, _ := main(t, "explain", "WG04")
	if strings.Contains(one, "WG05") {
		t.Error(one)
	}
}

const contexts = `
apiVersion: v1
kind: Config
contexts: [{name: one, context: {cluster: c, user: u}}, {name: another, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {}}]
`

// What the kubeconfig knows is completed from it.
func TestCompletionOfConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(contexts), 0o600); err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{
		"--context": "another\none\n:4\n", "--cluster": "c\n:4\n", "--user": "u\n:4\n", "--color": "auto\nalways\nnever\n:4\n",
	} {
		_, stdout, _ := main(t, "__complete", "--kubeconfig", path, "verify", flag, "")
		if stdout != want {
			t.Errorf("%s: %q", flag, stdout)
		}
	}
	_, stdout, _ := main(t, "__complete", "--kubeconfig", path, "verify", "--namespace", "")
	if stdout != ":1\n" { // the server is away: no names of files
		t.Errorf("namespaces: %q", stdout)
	}
	for _, args := range [][]string{{"completion", "--help"}, {"completion", "bash", "--help"}, {"completion", "zsh", "--help"}} {
		if _, help, _ := main(t, args...); !strings.Contains(help, "kubectl_complete-wg") || strings.Contains(help, "source <(") {
			t.Errorf("%q: %s", args, help)
		}
	}
}

func TestColored(t *testing.T) {
	for name, test := range map[string]struct {
		root root
		want bool
	}{
		"no terminal": {root{color: "auto"}, false}, "always": {root{color: "always"}, true},
		"never": {root{color: "never"}, false}, "both": {root{color: "always", noColor: true}, false},
	} {
		if got := test.root.colored(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	_, stdout, _ := main(t, "replay", "--color", "always", recordings+"host-healthy-wireguard.ndjson")
	if !strings.Contains(stdout, "\x1b[") {
		t.Error("no colors")
	}
}

func TestEditDistance(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     int
	}{{"", "", 0}, {"nods", "nodes", 1}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"ab", "ba", 2}} {
		if got := editDistance(test.from, test.to); got != test.want {
			t.Errorf("%s, %s: %d", test.from, test.to, got)
		}
	}
}

// The role for a namespace is for that one, and leaves its labels alone.
func TestPrintRole(t *testing.T) {
	for line, test := range map[string]struct{ has, lacks []string }{
		"--print-role":                  {[]string{"kind: ClusterRole\n", "CLUSTER-ADMIN"}, []string{"kind: Role\n"}},
		"--print-role --scope hosts":    {[]string{"CLUSTER-ADMIN"}, []string{"services"}},
		"--print-role --scope services": {[]string{"resources: [services]\n    verbs: [create]"}, nil},
		"--print-role --scope dns":      {[]string{"CLUSTER-ADMIN"}, []string{"name: kubectl-wg-dns"}},
		"--print-role=namespaced --scope dns": {
			[]string{"name: kubectl-wg-dns\n  namespace: kube-system", "resources: [pods]\n    verbs: [list]"}, nil},
		"--print-role -n wg --scope dns": {[]string{"name: kubectl-wg-dns\n  namespace: kube-system"}, nil},
		"--print-role -n mine":           {[]string{"kind: Role\n", "namespace: mine\n", "kind: ClusterRole\n", "-n mine --role"}, []string{"kind: Namespace", "namespace: kubectl-wg", "namespaces]"}},
		"--print-role=namespaced":        {[]string{"kind: Namespace\n", "namespace: kubectl-wg\n"}, nil},
		"--print-role=cluster -n mine":   {[]string{"CLUSTER-ADMIN"}, []string{"mine"}},
		"--print-role -o json":           {[]string{"CLUSTER-ADMIN"}, []string{"kubectl-wg-results", "reports"}},
		"--print-role --report-configmap r": {
			[]string{"kind: Role\n", `namespace: "default"`, `resourceNames: ["r"]`, "resources: [events]\n    verbs: [create]"}, nil,
		},
		"--print-role --ledger a/l": {
			[]string{`namespace: "a"`, `resourceNames: ["l"]`, "-n a --role=kubectl-wg-results"}, []string{"resources: [events]"},
		},
		"--print-role --ledger l --report-configmap r": {[]string{`resourceNames: ["r", "l"]`}, nil},
		"--print-role --ledger a/l --report-configmap 7/r -n mine": {
			[]string{`namespace: "a"`, `namespace: "7"`, `resourceNames: ["r"]`, `resourceNames: ["l"]`}, []string{`"r", "l"`},
		},
		"--print-role -o policyreport": {[]string{"[wgpolicyk8s.io]\n    resources: [clusterpolicyreports]"}, []string{"openreports"}},
		"--print-role -o openreports":  {[]string{"[openreports.io]\n    resources: [clusterreports]"}, nil},
	} {
		code, stdout, stderr := main(t, append([]string{"verify"}, strings.Fields(line)...)...)
		for _, text := range test.has {
			if code != 0 || !strings.Contains(stdout, text) {
				t.Errorf("%s: exit %d %s, no %s in\n%s", line, code, stderr, text, stdout)
			}
		}
		for _, text := range test.lacks {
			if strings.Contains(stdout, text) {
				t.Errorf("%s: %s in\n%s", line, text, stdout)
			}
		}
		for document := range strings.SplitSeq(stdout, "\n---\n") {
			var object struct{ Kind, APIVersion string }
			if err := yaml.Unmarshal([]byte(document), &object); err != nil || object.Kind == "" || object.APIVersion == "" {
				t.Errorf("%s: %v in\n%s", line, err, document)
			}
		}
	}
}

// An empty argument is not the same as none: "$UNSET" is a mistake. Completion has one
// where nothing was typed yet.
func TestEmptyArguments(t *testing.T) {
	for _, command := range []string{"status", "cleanup", "explain", "logs", "replay", "capture"} {
		code, stdout, stderr := main(t, command, "")
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, "an argument is empty") {
			t.Errorf("%s: exit %d, %q, %q", command, code, stdout, stderr)
		}
	}
	if code, stdout, stderr := main(t, "__complete", "explain", ""); code != 0 || !strings.Contains(stdout, "WG0101") {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
}

// full is a stdout that has no room.
type full struct{}

func (full) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: os.Stdout.Name(), Err: syscall.ENOSPC}
}

// What cannot be written is not wrong usage, and a verdict keeps its exit code.
func TestUnwrittenOutput(t *testing.T) {
	healthy, clear := recordings+"host-healthy-wireguard.ndjson", recordings+"host-vxlan.ndjson"
	for line, want := range map[string]int{
		"replay " + healthy:                exitCouldNotRun,
		"replay -o json " + clear:          exitNotVerified,
		"compare " + healthy + " " + clear: exitNotVerified,
		"explain":                          exitCouldNotRun,
		"--version":                        exitCouldNotRun,
	} {
		var errs bytes.Buffer
		streams := Streams{In: strings.NewReader(""), Out: full{}, Err: &errs}
		code := Main(t.Context(), append([]string{"kubectl-wg"}, strings.Fields(line)...), streams, &Interrupts{})
		if code != want || !strings.Contains(errs.String(), "hint: see where the output is redirected to") {
			t.Errorf("%s: exit %d, %q", line, code, errs.String())
		}
	}
}

// A capture that does not begin leaves a file as it was, and makes none.
func TestCaptureThatDoesNotBegin(t *testing.T) {
	folder := t.TempDir()
	before, missing := filepath.Join(folder, "before"), filepath.Join(folder, "missing")
	if err := os.WriteFile(before, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{before, missing} {
		if code, _, _ := main(t, "capture", "-w", file, "--server", "http://127.0.0.1:1"); code != exitCouldNotRun {
			t.Errorf("exit %d", code)
		}
	}
	if text, err := os.ReadFile(before); err != nil || string(text) != "kept" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := os.Stat(missing); !os.IsNotExist(err) {
		t.Errorf("%s was made: %v", missing, err)
	}
}
