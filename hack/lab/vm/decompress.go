package vm

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// elfMagic begins a kernel or module that is not compressed.
const elfMagic = "\x7fELF"

// decompress returns the ELF file in a compressed kernel or kernel module. What follows the compressed stream is
// ignored: the kernel appends its size to some.
func decompress(packed []byte) (plain []byte, err error) {
	switch {
	case bytes.HasPrefix(packed, []byte("\x1f\x8b")):
		reader, gzipErr := gzip.NewReader(bytes.NewReader(packed))
		if err = gzipErr; err == nil {
			reader.Multistream(false)
			plain, err = io.ReadAll(reader)
		}
	case bytes.HasPrefix(packed, []byte("\xfd7zXZ\x00")):
		plain, err = filter(packed, "xz", "--decompress", "--single-stream")
	case bytes.HasPrefix(packed, []byte("\x28\xb5\x2f\xfd")):
		plain, err = filter(packed, "zstd", "--decompress")
	default:
		return nil, fmt.Errorf("unknown compression %x", packed[:min(len(packed), 4)])
	}
	if bytes.HasPrefix(plain, []byte(elfMagic)) {
		return plain, nil // also if the filter then stumbled over what follows
	}
	return nil, errors.Join(errors.New("decompressing brought no ELF file"), err)
}

func filter(input []byte, program string, args ...string) ([]byte, error) {
	cmd := exec.Command(program, args...)
	cmd.Stdin = bytes.NewReader(input)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(said.String()))
	}
	return out, err
}
