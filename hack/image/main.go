// Command image builds the images of the probe and of the plugin without a Docker
// engine: the same program, the same configuration as the Dockerfile, from which
// it must not differ. Equal sources make equal archives, byte by byte.
//
// One platform makes an archive for `docker load` and `ctr images import`,
// several make an OCI archive with an index.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	reference "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := build(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func build(ctx context.Context) error {
	root := flag.String("root", ".", "the module's root, where the Dockerfile is")
	output := flag.String("output", "dist/wg-probe.tar", "archive to write")
	name := flag.String("program", "wg-probe", "program in the image: wg-probe, kubectl-wg")
	repository := flag.String("repository", "ghcr.io/kubectl-wg", "registry and folder of the image")
	version := flag.String("tag", "dev", "tag of the image and version of the program")
	commit := flag.String("commit", "", "hash of the commit, for the plugin")
	date := flag.String("date", "", "time of the commit, RFC 3339, for the plugin")
	asLayout := flag.Bool("layout", false, "write an OCI layout for one platform too")
	platforms := flag.String("platform", "linux/"+runtime.GOARCH, "platforms, with commas between them")
	flag.Parse()

	p, err := programNamed(*name)
	if err != nil {
		return err
	}
	tag, err := reference.NewTag(*repository+"/"+p.name+":"+*version, reference.StrictValidation)
	if err != nil {
		return fmt.Errorf("naming the image: %w", err)
	}
	var images []platformImage
	for text := range strings.SplitSeq(*platforms, ",") {
		platform, err := v1.ParsePlatform(text)
		if err != nil {
			return fmt.Errorf("platform %q: %w", text, err)
		}
		compiled, err := p.compile(ctx, *root, *platform, p.linkerFlags(*version, *commit, *date))
		if err != nil {
			return err
		}
		image, err := p.assemble(compiled, *platform, *version)
		if err != nil {
			return err
		}
		size, err := compressed(image)
		if err != nil {
			return err
		}
		fmt.Printf("%-14s %.2f MB compressed, %.2f MB program\n", text, float64(size)/1e6, float64(len(compiled))/1e6)
		images = append(images, platformImage{*platform, image})
	}
	if err := os.MkdirAll(filepath.Dir(*output), 0o755); err != nil {
		return fmt.Errorf("making room for the archive: %w", err)
	}
	if err := write(*output, tag, images, *asLayout); err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", *output, tag)
	return nil
}

// compile builds the program as the Dockerfile does.
func (p program) compile(ctx context.Context, root string, platform v1.Platform, linkerFlags string) ([]byte, error) {
	folder, err := os.MkdirTemp("", p.name+"-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the program: %w", err)
	}
	defer os.RemoveAll(folder)
	target := filepath.Join(folder, p.name)
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", linkerFlags, "-o", target, "./cmd/"+p.name)
	command.Dir = root
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOOS="+platform.OS, "GOARCH="+platform.Architecture)
	if platform.Architecture == "arm" {
		command.Env = append(command.Env, "GOARM="+strings.TrimPrefix(platform.Variant, "v"))
	}
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("building %s for %s: %w", p.name, platform, err)
	}
	compiled, err := os.ReadFile(target)
	if err != nil {
		return nil, fmt.Errorf("reading the program: %w", err)
	}
	return compiled, nil
}
