package vm

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKernelPackage goes from an unpacked package to the image that QEMU gets.
func TestKernelPackage(t *testing.T) {
	for _, lib := range []string{"lib", "usr/lib"} {
		dir := t.TempDir()
		boot, modules := filepath.Join(dir, "boot"), filepath.Join(dir, lib, "modules", "6.1.0-9-amd64")
		if err := os.MkdirAll(boot, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := findKernel(dir); err == nil {
			t.Error("a kernel was found in an empty folder")
		}
		image := filepath.Join(boot, "vmlinuz-6.1.0-9-amd64")
		// As the kernel's build does, the size follows the compressed stream.
		if err := os.WriteFile(image, bzImage(append(gzipped("\x7fELF kernel"), 11, 0, 0, 0)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := findKernel(dir); err == nil {
			t.Error("a kernel was found without its modules")
		}
		if err := os.MkdirAll(modules, 0o755); err != nil {
			t.Fatal(err)
		}
		want := kernel{image: image, release: "6.1.0-9-amd64", modules: modules}
		k, err := findKernel(dir)
		if err != nil || k != want {
			t.Fatalf("%+v, %v; want %+v", k, err, want)
		}
		if err := k.unpackImage(); err != nil {
			t.Fatal(err)
		}
		want.image = filepath.Join(boot, "vmlinux-6.1.0-9-amd64")
		if k, err = findKernel(dir); err != nil || k != want {
			t.Errorf("%+v, %v; want %+v", k, err, want)
		}
		if plain, err := os.ReadFile(k.image); err != nil || string(plain) != "\x7fELF kernel" {
			t.Errorf("the unpacked image holds %q, %v", plain, err)
		}
	}
}

func TestKernelPayload(t *testing.T) {
	payload := []byte("compressed kernel")
	good := bzImage(payload)
	if got, err := kernelPayload(good); err != nil || !bytes.Equal(got, payload) {
		t.Errorf("%q, %v; want %q", got, err, payload)
	}
	change := func(at int, value byte) []byte {
		image := bytes.Clone(good)
		image[at] = value
		return image
	}
	for name, row := range map[string]struct {
		image   []byte
		problem string
	}{
		"empty":       {nil, "not a bzImage"},
		"no magic":    {change(0x202, 'x'), "not a bzImage"},
		"old":         {change(0x206, 7), "not a bzImage"},
		"cut":         {good[:len(good)-1], "beyond its end"},
		"no payload":  {change(0x24c, 0), "beyond its end"},
		"far payload": {change(0x24b, 0x7f), "beyond its end"},
	} {
		if _, err := kernelPayload(row.image); err == nil || !strings.Contains(err.Error(), row.problem) {
			t.Errorf("%s: %v, want %q", name, err, row.problem)
		}
	}
}

// bzImage is an image with one sector of setup after the boot sector, and the payload 16 bytes into the code.
func bzImage(payload []byte) []byte {
	image := make([]byte, 2*512+16)
	image[0x1f1] = 1
	copy(image[0x202:], "HdrS")
	binary.LittleEndian.PutUint16(image[0x206:], 0x20f)
	binary.LittleEndian.PutUint32(image[0x248:], 16)
	binary.LittleEndian.PutUint32(image[0x24c:], uint32(len(payload)))
	return append(image, payload...)
}
