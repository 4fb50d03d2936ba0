package command

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
)

// recordable returns a usage error if the evidence could not be written to a
// path: better before a run than after it. Only a regular file is ever replaced.
func recordable(path string) error {
	if path == "" {
		return nil
	}
	if path == "-" {
		return usagef("name a file; stdout is for the report", "--record - is not a file")
	}
	target, err := recordTarget(path)
	if err != nil {
		return usageError(fmt.Errorf("--record: %w", err), "")
	}
	folder := filepath.Dir(target)
	if about, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) || err == nil && !about.IsDir() {
		return usagef("create it first", "--record: directory %s does not exist", folder)
	}
	file, err := temporary(target)
	if err != nil {
		return usageError(fmt.Errorf("--record: %w", err), "name a file in a directory that you may write to")
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// recordTarget returns the file that a path leads to. It is an error if there is
// something that is not a regular file, or a file that may not be written to.
func recordTarget(path string) (string, error) {
	link, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return path, nil
	}
	if err == nil && link.Mode()&os.ModeSymlink != 0 {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", err
	}
	about, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !about.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return "", err
	}
	return path, file.Close()
}

// temporary creates a file beside another, to take its place.
func temporary(path string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(path), ".kubectl-wg-*")
}

// record writes the evidence to a file, if one is named, and notes that it did.
func record(path string, evidence *recording.Recording, progress *progress) error {
	if path == "" {
		return nil
	}
	if err := writeRecording(path, evidence); err != nil {
		return fmt.Errorf("writing the evidence: %w", err)
	}
	progress.Note("evidence written to " + path)
	return nil
}

// writeRecording writes the recording to a file, completely or not at all. The
// target is looked at again: it may have become something else meanwhile.
func writeRecording(path string, r *recording.Recording) (err error) {
	target, err := recordTarget(path)
	if err != nil {
		return err
	}
	file, err := temporary(target)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
		}
	}()
	if err := writeTo(file, strings.HasSuffix(path, ".gz"), r); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), target)
}

func writeTo(w io.Writer, compressed bool, r *recording.Recording) error {
	if !compressed {
		_, err := r.WriteTo(w)
		return err
	}
	packed := gzip.NewWriter(w)
	_, err := r.WriteTo(packed)
	return errors.Join(err, packed.Close())
}
