package vm

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	depFile = `kernel/drivers/virtio/virtio.ko:
kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
kernel/net/9p/9pnet.ko:
kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko kernel/drivers/virtio/virtio_ring.ko
kernel/crypto/blake2s-x86_64.ko:

kernel/a.ko: kernel/b.ko
kernel/b.ko: kernel/a.ko
kernel/lonely.ko: kernel/gone.ko
`
	builtinFile = "kernel/fs/ext4/ext4.ko\nkernel/lib/libcrc32c.ko\n"
)

func TestResolve(t *testing.T) {
	index, err := parseModules(strings.NewReader(depFile), strings.NewReader(builtinFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ names, want, problem string }{
		{names: "virtio", want: "virtio.ko"},
		{names: "virtio_pci", want: "virtio.ko virtio_ring.ko virtio_pci.ko"},
		{names: "virtio_pci 9pnet_virtio", want: "virtio.ko virtio_ring.ko virtio_pci.ko 9pnet.ko 9pnet_virtio.ko.xz"},
		{names: "blake2s_x86_64", want: "blake2s-x86_64.ko"},
		{names: "blake2s-x86_64", want: "blake2s-x86_64.ko"},
		{names: "ext4 virtio", want: "virtio.ko"},
		{names: "", want: ""},
		{names: "nonsense", problem: "no module nonsense"},
		{names: "a", problem: "depends on itself"},
		{names: "lonely", problem: "no entry for kernel/gone.ko"},
	} {
		files, err := index.resolve(strings.Fields(row.names)...)
		if row.problem != "" {
			if err == nil || !strings.Contains(err.Error(), row.problem) {
				t.Errorf("%s: error %v, want %q", row.names, err, row.problem)
			}
			continue
		}
		for i := range files {
			files[i] = filepath.Base(files[i])
		}
		if got := strings.Join(files, " "); err != nil || got != row.want {
			t.Errorf("%s: %s, %v; want %s", row.names, got, err, row.want)
		}
	}
}

func TestParseModulesRefusesNonsense(t *testing.T) {
	if _, err := parseModules(strings.NewReader("no colon here\n"), strings.NewReader("")); err == nil {
		t.Error("a line without a colon was taken")
	}
}

func TestReadModule(t *testing.T) {
	dir := t.TempDir()
	for name, contents := range map[string][]byte{"plain.ko": []byte("\x7fELF module"), "packed.ko.gz": gzipped("\x7fELF module")} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, contents, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := readModule(path); err != nil || string(got) != "\x7fELF module" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, contents := range map[string]string{"odd.ko.lz": "LZIP", "broken.ko.gz": "\x1f\x8b?", "short.ko": "", "no-elf.ko.gz": string(gzipped("text"))} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(contents), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readModule(path); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func gzipped(contents string) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write([]byte(contents))
	w.Close()
	return packed.Bytes()
}
