//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestScreensAreUpToDate builds the command as `make build` does, so that what it
// compiled is used again.
func TestScreensAreUpToDate(t *testing.T) {
	if testing.Short() {
		t.Skip("needs time to link the whole command: run without -short")
	}
	const root = "../.."
	folder := t.TempDir()
	binary := filepath.Join(folder, "kubectl-wg")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/kubectl-wg")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, said)
	}
	screensOf := filepath.Join(folder, "screens")
	if err := write(binary, screensOf, filepath.Join(root, "plugin/check/testdata/v1")); err != nil {
		t.Fatal(err)
	}
	for _, s := range screens {
		for _, width := range widths {
			want, err := os.ReadFile(s.file(screensOf, width))
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(s.file(filepath.Join(root, "docs/screens"), width))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s at %d columns is not what the command shows: make screens (%v)", s.name, width, err)
			}
			if strings.ContainsAny(string(want), "\x1b\r") || strings.Contains(string(want), folder) {
				t.Errorf("%s at %d columns has a control character, or a path of this machine", s.name, width)
			}
		}
	}
}

func TestRendered(t *testing.T) {
	for shown, want := range map[string]string{
		"plain\r\n":                                "plain\n",
		"\x1b[1;32mPASS\x1b[0m  all\r\n":           "PASS  all\n",
		"placing 1/2\rplacing 2/2\r\x1b[Kdone\r\n": "done\n",
		"a  \r\n\r\nb\r\n":                         "a\n\nb\n",
		"cut \x1b[3":                               "cut\n",
	} {
		if got := rendered(shown); got != want {
			t.Errorf("%q: %q, want %q", shown, got, want)
		}
	}
}

func TestRows(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "a\n": 1, "a\n\nb\n": 3, "✓✓✓✓\n": 1, "12345\n": 2, "12345678\n": 2, "123456789\n": 3,
	} {
		if got := rows(text, 4); got != want {
			t.Errorf("%q: %d rows, want %d", text, got, want)
		}
	}
}

// A terminal has the width that it was asked for, and colors.
func TestTerminal(t *testing.T) {
	shown, err := onTerminal(97, t.TempDir(), []string{"sh", "-c", `stty size; printf '\033[31mred\033[0m\n'; exit 3`})
	if err != nil {
		t.Fatal(err)
	}
	if want := "50 97\r\n\x1b[31mred\x1b[0m\r\n"; shown != want {
		t.Errorf("%q, want %q", shown, want)
	}
}
