// Command release builds the plugin for all desktops and packs it the way the
// krew index expects: one archive per platform with the plugin and the licence
// in it, and checksums. Equal sources make equal archives.
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

type platform struct{ system, machine string }

// platforms are those of krew/wg.yaml.
var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"},
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"},
}

// archive is the file's name in a release.
func (p platform) archive(version string) string {
	kind := "tar.gz"
	if p.system == "windows" {
		kind = "zip"
	}
	return fmt.Sprintf("kubectl-wg_%s_%s_%s.%s", version, p.system, p.machine, kind)
}

// program is the plugin's name in the archive.
func (p platform) program() string {
	if p.system == "windows" {
		return "kubectl-wg.exe"
	}
	return "kubectl-wg"
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	version := flag.String("version", "dev", "version of the plugin, a tag")
	output := flag.String("output", "dist", "folder for the archives")
	flag.Parse()
	if err := release(ctx, *version, *output); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func release(ctx context.Context, version, output string) error {
	if err := os.MkdirAll(output, 0o755); err != nil {
		return fmt.Errorf("creating the folder for the archives: %w", err)
	}
	licence, err := os.ReadFile("LICENSE")
	if err != nil {
		return fmt.Errorf("reading the licence: %w", err)
	}
	var sums strings.Builder
	for _, p := range platforms {
		program, err := compile(ctx, p, version)
		if err != nil {
			return err
		}
		content, err := pack(p.archive(version), []file{{"LICENSE", 0o644, licence}, {p.program(), 0o755, program}})
		if err != nil {
			return fmt.Errorf("packing for %s/%s: %w", p.system, p.machine, err)
		}
		path := filepath.Join(output, p.archive(version))
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return fmt.Errorf("writing an archive: %w", err)
		}
		fmt.Printf("%s %.1f MB\n", path, float64(len(content))/1e6)
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), p.archive(version))
	}
	if err := os.WriteFile(filepath.Join(output, "sha256sums.txt"), []byte(sums.String()), 0o644); err != nil {
		return fmt.Errorf("writing the checksums: %w", err)
	}
	return nil
}

func compile(ctx context.Context, p platform, version string) ([]byte, error) {
	folder, err := os.MkdirTemp("", "kubectl-wg-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the program: %w", err)
	}
	defer os.RemoveAll(folder)
	target := filepath.Join(folder, p.program())
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X github.com/kubectl-wg/kubectl-wg/plugin/command.version="+version, "-o", target, "./cmd/kubectl-wg")
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS="+p.system, "GOARCH="+p.machine)
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("building for %s/%s: %w", p.system, p.machine, err)
	}
	program, err := os.ReadFile(target)
	if err != nil {
		return nil, fmt.Errorf("reading the program: %w", err)
	}
	return program, nil
}
