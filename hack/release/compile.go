package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// command is the import path of the package that the linker sets the version in.
const command = "github.com/kubectl-wg/kubectl-wg/plugin/command"

// compile builds the plugin for one platform and returns the program. The version
// control's state comes from the caller: a clone without tags would make another
// program of the same commit. Overlay is the file of package rename.
func (r release) compile(ctx context.Context, p platform, overlay string) ([]byte, error) {
	folder, err := os.MkdirTemp("", "kubectl-wg-")
	if err != nil {
		return nil, fmt.Errorf("creating a folder for the program: %w", err)
	}
	defer os.RemoveAll(folder)
	target := filepath.Join(folder, r.program(p))
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-overlay", overlay,
		"-ldflags", r.linkerFlags(), "-o", target, "./cmd/kubectl-wg")
	build.Env = append(os.Environ(), p.environment()...)
	build.Stdout = os.Stderr
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("building for %s: %w", p, err)
	}
	program, err := os.ReadFile(target)
	if err != nil {
		return nil, fmt.Errorf("reading the program: %w", err)
	}
	got, err := builtFor(program)
	if err != nil {
		return nil, fmt.Errorf("reading the program for %s: %w", p, err)
	}
	if got != p {
		return nil, fmt.Errorf("the program for %s is for %s", p, got)
	}
	return program, nil
}

func (r release) linkerFlags() string {
	return fmt.Sprintf("-s -w -X %[1]s.version=%[2]s -X %[1]s.commit=%[3]s -X %[1]s.date=%[4]s",
		command, r.version, r.commit, r.date)
}
