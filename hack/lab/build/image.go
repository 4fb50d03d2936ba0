package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/image"
)

// Names of the images that every node has. They are pulled from nowhere.
const (
	PauseImage   = "localhost/lab/pause:1"
	BusyboxImage = "localhost/lab/busybox:1"

	busyboxPath = "/bin/busybox"
	// imageFormat goes into the distribution's key: raise it when what follows makes other images.
	imageFormat = 1
)

func busyboxDigest() (string, error) {
	data, err := os.ReadFile(busyboxPath)
	if err != nil {
		return "", fmt.Errorf("reading busybox: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

func writeImages(distribution Distribution) error {
	dir := filepath.Join(distribution.Dir, "images")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("creating the directory of images: %w", err)
	}
	pause := image.Spec{
		Name:       PauseImage,
		Files:      []image.File{{Path: "pause", Source: distribution.Bin("pause")}},
		Entrypoint: []string{"/pause"},
		User:       "65535:65535",
	}
	if err := image.Write(filepath.Join(dir, "pause.tar"), pause); err != nil {
		return err
	}
	applets, err := exec.Command(busyboxPath, "--list").Output()
	if err != nil {
		return fmt.Errorf("listing the applets of busybox: %w", err)
	}
	busybox := image.Spec{
		Name:  BusyboxImage,
		Files: []image.File{{Path: "bin/busybox", Source: busyboxPath}, {Path: "tmp", Dir: true}},
		Cmd:   []string{"/bin/sh"},
	}
	for applet := range strings.FieldsSeq(string(applets)) {
		if applet != "busybox" {
			busybox.Files = append(busybox.Files, image.File{Path: "bin/" + applet, Link: "busybox"})
		}
	}
	return image.Write(filepath.Join(dir, "busybox.tar"), busybox)
}
