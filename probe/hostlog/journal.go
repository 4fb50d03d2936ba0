//go:build linux

package hostlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/journal"
)

// units are those whose lines may be about WireGuard: what has Flannel in its own
// process, Flannel itself, what calls network plugins, and what makes tunnels or loads
// modules at boot.
var units = []string{
	"k3s", "k3s-agent", "rke2-server", "rke2-agent", "flanneld", "flannel", "kubelet", "tailscaled",
	"systemd-networkd", "systemd-modules-load", "NetworkManager",
}

// unitForms are beginnings of names of units that are made of templates.
var unitForms = []string{"wg-quick@", "k3s-", "flannel-"}

// sourceOf names a unit in lines; empty for one that is not wanted.
func sourceOf(unit string) string {
	name, service := strings.CutSuffix(unit, ".service")
	form := func(form string) bool { return strings.HasPrefix(name, form) }
	if service && (slices.Contains(units, name) || slices.ContainsFunc(unitForms, form)) {
		return name
	}
	return ""
}

// kernelSource names the kernel in lines.
const kernelSource = "kernel"

// journalFolders are where journald keeps its files on a host, each in a folder that is
// named by the machine's id: on disk, and in memory.
var journalFolders = []string{"/var/log/journal", "/run/log/journal"}

// maxFiles bounds how many journal files are read, the newest.
const maxFiles = 256

// readJournal reads all journal files that may have entries of the time asked for.
func (r *reading) readJournal(ctx context.Context) {
	log := evidence.HostLog{Name: "journal"}
	paths, err := r.journalFiles()
	for _, path := range paths {
		if ctx.Err() != nil {
			err = cmp.Or(err, fmt.Errorf("the time was over, older files were not read: %w", context.Cause(ctx)))
			break
		}
		err = cmp.Or(err, r.readJournalFile(path, &log))
	}
	if err != nil {
		log.Error = err.Error()
	}
	if len(paths) > 0 || err != nil {
		r.logs = append(r.logs, log)
	}
}

// journalFiles returns the files of the system's journal, newest first. Those of users
// are not read.
func (r *reading) journalFiles() (paths []string, failed error) {
	changed := make(map[string]time.Time)
	for _, folder := range journalFolders {
		machines, err := os.ReadDir(filepath.Join(r.folder, folder))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = cmp.Or(failed, r.named(folder, err))
		}
		for _, machine := range machines {
			files, err := os.ReadDir(filepath.Join(r.folder, folder, machine.Name()))
			if err != nil && machine.IsDir() {
				failed = cmp.Or(failed, r.named(folder, err))
			}
			for _, file := range files {
				about, err := file.Info()
				if err != nil || !strings.HasPrefix(file.Name(), "system") || !strings.Contains(file.Name(), ".journal") {
					continue
				}
				path := filepath.Join(folder, machine.Name(), file.Name())
				changed[path] = about.ModTime()
				paths = append(paths, path)
			}
		}
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Or(changed[b].Compare(changed[a]), cmp.Compare(a, b)) })
	if len(paths) > maxFiles {
		paths = paths[:maxFiles]
	}
	return paths, failed
}

// readJournalFile reads one file, by its path on the host.
func (r *reading) readJournalFile(path string, log *evidence.HostLog) error {
	file, size, err := r.open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	opened, err := journal.Open(file, size)
	if err != nil {
		return r.named(path, err)
	}
	if opened.Last.Before(r.since) && !opened.Last.IsZero() {
		return nil
	}
	err = opened.Entries(r.since, wanted, func(e *journal.Entry) {
		source := sourceOf(e.Unit)
		switch {
		case e.Transport == kernelSource:
			source = kernelSource
			r.kernel = true
		case source == "": // the file is damaged, or wrong on purpose
			return
		}
		if e.Compressed {
			log.Compressed++
			return
		}
		r.keep(log, e.Time, source, e.Message)
	})
	return r.named(path, err)
}

// wanted reports whether entries with a field are to be read.
func wanted(name, value string) bool {
	switch name {
	case journal.FieldUnit:
		return sourceOf(value) != ""
	case journal.FieldTransport:
		return value == kernelSource
	}
	return false
}

// open opens a regular file of the host, and nothing that it links to.
func (r *reading) open(path string) (*os.File, int64, error) {
	file, err := os.OpenFile(filepath.Join(r.folder, path), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, r.named(path, err)
	}
	about, err := file.Stat()
	if err == nil && !about.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		file.Close()
		return nil, 0, r.named(path, err)
	}
	return file, about.Size(), nil
}

// named adds to an error which path on the host it is about, nil for none.
func (r *reading) named(path string, err error) error {
	var of *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &of): // its path is the container's
		err = of.Err
	}
	return fmt.Errorf("reading %s: %w", path, err)
}
