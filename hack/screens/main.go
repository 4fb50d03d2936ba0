//go:build linux

// Command screens writes what `kubectl wg` shows on a terminal in eight cases, as
// docs/screens: of recordings that it replays, and of a cluster that does not
// answer. docs/screens/README.md counts the rows.
//
//	screens [-binary bin/kubectl-wg] [-output docs/screens] [-page=false]
//
// It is started at the root of the module. Of the binary of an earlier version it
// wrote docs/screens/before, without a page.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

var widths = []int{80, 120}

// screen is one case: a recording in plugin/check/testdata/v1 or a generated run,
// or else arguments of the command.
type screen struct {
	name, title string
	recording   string
	generated   func() *mesh.Mesh
	args        []string
}

var screens = []screen{
	{name: "pass-2", title: "PASS, 2 nodes", recording: "host-healthy-wireguard"},
	{name: "pass-3", title: "PASS, 3 nodes", recording: "host-healthy-three"},
	{name: "pass-100", title: "PASS, 100 nodes", generated: func() *mesh.Mesh { return mesh.New(100) }},
	{name: "plaintext", title: "plaintext: old routes bypass the tunnel", recording: "host-stale-flannel-route"},
	{name: "blocked", title: "blocked: a firewall drops the tunnel's port", recording: "host-udp-blocked"},
	{name: "two-causes", title: "two causes: an old route and a missing peer", generated: twoCauses},
	{name: "inconclusive", title: "inconclusive: a node is not Ready", recording: "host-node-not-ready"},
	{name: "could-not-run", title: "could not run: the API server refuses connections", args: []string{"verify"}},
}

func twoCauses() *mesh.Mesh {
	m := mesh.New(4)
	m.StaleRoute(0, 1)
	m.MissingPeer(2, 3)
	return m
}

func main() {
	binary := flag.String("binary", "bin/kubectl-wg", "the command")
	output := flag.String("output", "docs/screens", "the folder to write")
	page := flag.Bool("page", true, "write the page that counts rows")
	flag.Parse()
	err := write(*binary, *output, "plugin/check/testdata/v1")
	if err == nil && *page {
		err = count(*output)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "screens:", err)
		os.Exit(1)
	}
}

// write makes all screens.
func write(binary, output, recordings string) error {
	work, err := os.MkdirTemp("", "screens")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	if err := os.MkdirAll(output, 0o755); err != nil {
		return err
	}
	for _, s := range screens {
		args, err := s.arguments(work, recordings)
		if err != nil {
			return err
		}
		for _, width := range widths {
			shown, err := onTerminal(width, work, append([]string{binary}, args...))
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if err := os.WriteFile(s.file(output, width), []byte(rendered(shown)), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s screen) file(folder string, width int) string {
	return filepath.Join(folder, fmt.Sprintf("%s-%d.txt", s.name, width))
}

// arguments are those of the command; what they name lies in the folder work.
func (s screen) arguments(work, recordings string) ([]string, error) {
	switch {
	case s.recording != "":
		return []string{"replay", filepath.Join(recordings, s.recording+".ndjson")}, nil
	case s.generated != nil:
		path := filepath.Join(work, s.name+".ndjson")
		return []string{"replay", path}, record(s.generated(), path)
	}
	return s.args, os.WriteFile(filepath.Join(work, "config"), []byte(unreachable), 0o600)
}

// unreachable is a kubeconfig whose cluster refuses connections: nothing listens on port 1.
const unreachable = `apiVersion: v1
kind: Config
current-context: production
contexts: [{name: production, context: {cluster: production, user: admin}}]
clusters: [{name: production, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: admin, user: {token: none}}]
`

// record writes a generated run to a file.
func record(m *mesh.Mesh, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	for _, stream := range m.Streams() {
		for _, message := range m.Messages(stream) {
			line, err := evidence.Encode(message)
			if err != nil {
				return err
			}
			if _, err := file.Write(line); err != nil {
				return err
			}
		}
	}
	return file.Close()
}

// count writes the page with the rows of each screen, and of those of an earlier
// version in the folder "before" if there are any.
func count(folder string) error {
	var page strings.Builder
	page.WriteString("# Screens\n\nWritten by `make screens` from a terminal of 80 and of 120 columns, colors left out. " +
		"Rows as the terminal wraps them;\n" +
		"`before` has the screens of the version before the report fitted one screen.\n\n" +
		"| case | rows at 80 | at 120 | before, at 80 | at 120 |\n|---|---|---|---|---|\n")
	for _, s := range screens {
		fmt.Fprintf(&page, "| [%s](%s-80.txt)", s.title, s.name)
		for _, of := range []string{folder, filepath.Join(folder, "before")} {
			for _, width := range widths {
				text, err := os.ReadFile(s.file(of, width))
				if err != nil && (of == folder || !os.IsNotExist(err)) {
					return err
				}
				fmt.Fprintf(&page, " | %d", rows(string(text), width))
			}
		}
		page.WriteString(" |\n")
	}
	return os.WriteFile(filepath.Join(folder, "README.md"), []byte(page.String()), 0o644)
}
