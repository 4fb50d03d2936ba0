// Command release builds the plugin for all desktops and packs it the way the
// krew index expects: one archive per platform with the plugin, the licence and
// the completion script in it. It renders krew's manifest with the checksums of
// these archives. Equal sources make equal archives.
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/kubectl-wg/kubectl-wg/hack/rename"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var r release
	flag.StringVar(&r.plugin, "plugin", "wg", "name of the plugin, as in kubectl NAME")
	flag.StringVar(&r.version, "version", "dev", "version of the plugin, a tag")
	flag.StringVar(&r.commit, "commit", "", "hash of the commit")
	flag.StringVar(&r.date, "date", "", "time of the commit, RFC 3339")
	output := flag.String("output", "dist/release", "folder for the archives")
	list := flag.String("platforms", "", "platforms of the plugin, with commas between them; all if empty")
	template := flag.String("krew", "krew/wg.yaml", "template of krew's manifest")
	flag.Parse()
	of, err := chosen(*list)
	if err == nil {
		err = run(ctx, r, of, *output, *template)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, r release, of []platform, output, template string) error {
	work, err := os.MkdirTemp("", "kubectl-wg-")
	if err != nil {
		return fmt.Errorf("creating a folder for the sources: %w", err)
	}
	defer os.RemoveAll(work)
	overlay, err := rename.Overlay(".", work, r.plugin)
	if err != nil {
		return err
	}
	with, err := r.readAdditions()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(output, 0o755); err != nil {
		return fmt.Errorf("creating the folder for the archives: %w", err)
	}
	sums := map[string]string{}
	for _, p := range of {
		program, err := r.compile(ctx, p, overlay)
		if err != nil {
			return err
		}
		content, err := pack(r.archive(p), r.files(p, program, with))
		if err != nil {
			return fmt.Errorf("packing for %s: %w", p, err)
		}
		path := filepath.Join(output, r.archive(p))
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("writing an archive: %w", err)
		}
		fmt.Printf("%s %.1f MB\n", path, float64(len(content))/1e6)
		sums[r.archive(p)] = fmt.Sprintf("%x", sha256.Sum256(content))
	}
	return r.writeManifest(template, output, sums)
}

// additions are what an archive holds besides the program.
type additions struct{ licence, script []byte }

func (r release) readAdditions() (additions, error) {
	licence, err := os.ReadFile("LICENSE")
	if err != nil {
		return additions{}, fmt.Errorf("reading the licence: %w", err)
	}
	script, err := os.ReadFile("hack/kubectl_complete-wg")
	if err != nil {
		return additions{}, fmt.Errorf("reading the completion script: %w", err)
	}
	return additions{licence, []byte(rename.Text(string(script), r.plugin))}, nil
}

// files are those of an archive. On Windows kubectl runs no shell script: there
// the completer is a copy of the plugin, see docs/troubleshooting.md.
func (r release) files(p platform, program []byte, with additions) []file {
	files := []file{{"LICENSE", 0o644, with.licence}, {r.program(p), 0o755, program}}
	if p.system != "windows" {
		files = append(files, file{r.completer(), 0o755, with.script})
	}
	return files
}

// writeManifest writes krew's manifest in the folders of a krew index, so that
// the folder krew-index can be pushed as one.
func (r release) writeManifest(template, output string, sums map[string]string) error {
	source, err := os.ReadFile(template)
	if err != nil {
		return fmt.Errorf("reading the template of krew's manifest: %w", err)
	}
	manifest, err := r.manifest(string(source), sums)
	if err != nil {
		return err
	}
	folder := filepath.Join(output, "krew-index", "plugins")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("creating the folder for krew's manifest: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, r.plugin+".yaml"), []byte(manifest), 0o644); err != nil {
		return fmt.Errorf("writing krew's manifest: %w", err)
	}
	return nil
}
