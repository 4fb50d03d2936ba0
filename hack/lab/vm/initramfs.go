package vm

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// bootModules are what the machine needs before it can see the host's files and run its first process. Any other module is loaded from
// the kernel's own folder.
var bootModules = []string{"virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_net"}

// initramfs builds the archive the kernel starts from: busybox, the boot modules, init.sh and this machine's settings.
// It is small enough (3 MB, some milliseconds) to be made again for every start, so it can never be stale. It is not
// compressed: the emulated machine would spend more time than the host saves.
func initramfs(g ground, c Config) ([]byte, error) {
	index, err := g.kernel.index()
	if err != nil {
		return nil, err
	}
	files, err := index.resolve(bootModules...)
	if err != nil {
		return nil, fmt.Errorf("kernel %s: %w", g.kernel.release, err)
	}
	busybox, err := os.ReadFile(g.busybox)
	if err != nil {
		return nil, fmt.Errorf("reading busybox: %w", err)
	}
	var out bytes.Buffer
	w := cpioWriter{out: &out}
	for _, dir := range []string{"bin", "dev", "modules", "vm"} {
		w.dir(dir)
	}
	w.char("dev/console", 0o600, 5, 1) // the first process's streams, before /dev is mounted
	w.file("bin/busybox", 0o755, busybox)
	w.link("bin/sh", "busybox")
	w.file("init", 0o755, []byte(initScript))
	var names []string
	for _, file := range files {
		plain, err := readModule(filepath.Join(g.kernel.modules, file))
		if err != nil {
			return nil, err
		}
		names = append(names, moduleName(file)+".ko")
		w.file("modules/"+names[len(names)-1], 0o644, plain)
	}
	w.file("vm/settings", 0o644, []byte(c.settings(g.kernel, names)))
	w.file("vm/main", 0o755, []byte(c.mainScript()))
	return out.Bytes(), w.close()
}
