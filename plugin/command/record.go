package command

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

// writable returns a usage error if what a flag names could not be written to:
// better before a run than after it. Only a regular file is ever replaced.
func writable(flag, path string) error {
	if path == "" {
		return nil
	}
	if path == "-" {
		return usagef("name a file; stdout is for the report", "--%s - is not a file", flag)
	}
	target, err := targetOf(path)
	if err != nil {
		return usageError(fmt.Errorf("--%s: %w", flag, err), "name a file that you may write to")
	}
	folder := filepath.Dir(target)
	if about, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) || err == nil && !about.IsDir() {
		return usagef("create it first", "--%s: directory %s does not exist", flag, folder)
	}
	file, err := temporary(target)
	if err != nil {
		return usageError(fmt.Errorf("--%s: making a file in %s: %w", flag, folder, reason(err)),
			"name a file in a directory that you may write to")
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// reason is an error about a file without the file's name.
func reason(err error) error {
	var about *fs.PathError
	if errors.As(err, &about) {
		return about.Err
	}
	return err
}

// targetOf returns the file that a path leads to. It is an error if there is
// something that is not a regular file, or a file that may not be written to.
func targetOf(path string) (string, error) {
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

// temporary creates a file in the folder of another, to take its place.
func temporary(path string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(path), ".kubectl-wg-*")
}

// record writes the evidence to a file, if one is named, and notes that it did.
func (r *root) record(path string, evidence *recording.Recording, progress *progress) error {
	if path == "" {
		return nil
	}
	sum := sha256.New()
	err := replace(path, func(file io.Writer) error {
		return writeTo(io.MultiWriter(file, sum), strings.HasSuffix(path, ".gz"), evidence)
	})
	if err != nil {
		return fmt.Errorf("writing the evidence: %w", err)
	}
	r.recorded = recorded(path, sum)
	progress.Note("evidence written to " + path)
	return nil
}

// recorded names a recording by its file and the sum of what was read or written.
func recorded(path string, sum hash.Hash) report.Recording {
	name := filepath.Base(path)
	if path == "-" {
		name = "stdin"
	}
	return report.Recording{Name: name, SHA256: hex.EncodeToString(sum.Sum(nil))}
}

// replace writes a file, completely or not at all. The target is looked at again:
// it may have become something else meanwhile.
func replace(path string, write func(io.Writer) error) (err error) {
	target, err := targetOf(path)
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
	if err := write(file); err != nil {
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
