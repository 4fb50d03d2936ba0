package vm

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kernel is an unpacked kernel package.
type kernel struct {
	image   string // the bzImage
	release string // what uname -r says
	modules string // the folder lib/modules/<release>
}

// findKernel looks into an unpacked kernel package. It must hold exactly one kernel.
func findKernel(dir string) (kernel, error) {
	images, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return kernel{}, fmt.Errorf("%d kernels in %s, want one", len(images), dir)
	}
	release := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	for _, lib := range []string{"lib", "usr/lib"} { // newer Debian packages carry usr/lib
		modules := filepath.Join(dir, lib, "modules", release)
		if _, err := os.Stat(modules); err == nil {
			return kernel{image: images[0], release: release, modules: modules}, nil
		}
	}
	return kernel{}, fmt.Errorf("no modules of kernel %s in %s", release, dir)
}

// index reads the kernel's module lists.
func (k kernel) index() (moduleIndex, error) {
	dep, err := os.ReadFile(filepath.Join(k.modules, "modules.dep"))
	if err != nil {
		return moduleIndex{}, fmt.Errorf("reading the kernel's modules: %w", err)
	}
	builtin, err := os.ReadFile(filepath.Join(k.modules, "modules.builtin"))
	if err != nil {
		return moduleIndex{}, fmt.Errorf("reading the kernel's modules: %w", err)
	}
	return parseModules(bytes.NewReader(dep), bytes.NewReader(builtin))
}

// readModule returns a module file uncompressed: busybox inserts only plain ones.
func readModule(name string) ([]byte, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading a kernel module: %w", err)
	}
	var plain []byte
	switch filepath.Ext(name) {
	case ".ko":
		return raw, nil
	case ".gz":
		reader, err := gzip.NewReader(bytes.NewReader(raw))
		if err == nil {
			plain, err = io.ReadAll(reader)
		}
		if err != nil {
			return nil, fmt.Errorf("decompressing %s: %w", name, err)
		}
		return plain, nil
	case ".xz", ".zst":
		program := map[string]string{".xz": "xz", ".zst": "zstd"}[filepath.Ext(name)]
		cmd := exec.Command(program, "-dc")
		cmd.Stdin = bytes.NewReader(raw)
		if plain, err = cmd.Output(); err != nil {
			return nil, fmt.Errorf("decompressing %s with %s: %w", name, program, err)
		}
		return plain, nil
	}
	return nil, fmt.Errorf("kernel module %s: unknown compression", name)
}
