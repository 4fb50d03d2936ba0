package vm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// kernel is an unpacked kernel package.
type kernel struct {
	image   string // vmlinuz, or the vmlinux from within it
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
		if _, err := os.Stat(modules); err != nil {
			continue
		}
		k := kernel{image: images[0], release: release, modules: modules}
		if _, err := os.Stat(k.unpackedImage()); err == nil {
			k.image = k.unpackedImage()
		}
		return k, nil
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

func (k kernel) unpackedImage() string {
	return filepath.Join(filepath.Dir(k.image), "vmlinux-"+k.release)
}

// unpackImage lays the vmlinux from within a vmlinuz beside it. QEMU starts that by the kernel's PVH entry, and the
// emulated machine is spared the decompression: it is up in 3 s instead of 6 s.
func (k kernel) unpackImage() error {
	compressed, err := os.ReadFile(k.image)
	if err != nil {
		return fmt.Errorf("reading the kernel: %w", err)
	}
	payload, err := kernelPayload(compressed)
	if err != nil {
		return fmt.Errorf("kernel %s: %w", k.image, err)
	}
	plain, err := decompress(payload)
	if err != nil {
		return fmt.Errorf("kernel %s: %w", k.image, err)
	}
	return os.WriteFile(k.unpackedImage(), plain, 0o644)
}

// kernelPayload finds the compressed kernel in a bzImage. Offsets and names are those of
// https://docs.kernel.org/arch/x86/boot.html, boot protocol 2.08 and later.
func kernelPayload(image []byte) ([]byte, error) {
	const setupSects, header, version, payloadOffset, payloadLength, headerEnd = 0x1f1, 0x202, 0x206, 0x248, 0x24c, 0x250
	if len(image) < headerEnd || string(image[header:version]) != "HdrS" || binary.LittleEndian.Uint16(image[version:]) < 0x208 {
		return nil, errors.New("not a bzImage of boot protocol 2.08 or later")
	}
	start := (int(image[setupSects])+1)*512 + int(binary.LittleEndian.Uint32(image[payloadOffset:]))
	end := start + int(binary.LittleEndian.Uint32(image[payloadLength:]))
	if start >= end || end > len(image) {
		return nil, fmt.Errorf("its payload, bytes %d to %d, lies beyond its end", start, end)
	}
	return image[start:end], nil
}

// readModule returns a module file uncompressed: busybox inserts only plain ones.
func readModule(name string) ([]byte, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading a kernel module: %w", err)
	}
	if bytes.HasPrefix(raw, []byte(elfMagic)) {
		return raw, nil
	}
	plain, err := decompress(raw)
	if err != nil {
		return nil, fmt.Errorf("kernel module %s: %w", name, err)
	}
	return plain, nil
}
