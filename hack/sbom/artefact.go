package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// artefact is what a user gets: an archive, or the image of one platform.
type artefact struct {
	name    string
	version string
	sha256  string // of the archive or of the image's manifest
	purl    string // of an image, empty for an archive
	files   []file
}

type file struct {
	name    string
	content []byte
}

// limit is how many bytes a file in an artefact may have: far more than any
// program of this project.
const limit = 1 << 30

// open reads an archive of a release or an OCI image layout in a tar.
func open(path, version string) ([]artefact, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	switch {
	case strings.HasSuffix(name, ".tar"):
		return images(content, version)
	case strings.HasSuffix(name, ".tar.gz"):
		files, err := compressed(content)
		return []artefact{{name: name, version: version, sha256: digest(content), files: files}}, err
	case strings.HasSuffix(name, ".zip"):
		files, err := zipped(content)
		return []artefact{{name: name, version: version, sha256: digest(content), files: files}}, err
	}
	return nil, fmt.Errorf("%s is not a .tar.gz, a .zip or an OCI layout as .tar", name)
}

func compressed(content []byte) ([]file, error) {
	plain, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return archived(plain)
}

func archived(r io.Reader) (files []file, err error) {
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(io.LimitReader(archive, limit))
		if err != nil {
			return nil, err
		}
		files = append(files, file{header.Name, content})
	}
}

func zipped(content []byte) (files []file, err error) {
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	for _, entry := range archive.File {
		reader, err := entry.Open()
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(io.LimitReader(reader, limit))
		if err != nil {
			return nil, err
		}
		if err := reader.Close(); err != nil {
			return nil, err
		}
		files = append(files, file{entry.Name, content})
	}
	return files, nil
}
