package vm

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestResidents lists a tree of links, and then a real program of this machine.
func TestResidents(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.MkdirAll(at("usr/bin"), 0o755),
		os.WriteFile(at("usr/bin/tool-2"), []byte("text"), 0o755),
		os.WriteFile(at("usr/bin/other"), nil, 0o755),
		os.Symlink("tool-2", at("usr/bin/tool")),
		os.Symlink("usr/bin", at("bin")),
		os.Symlink(at("bin/tool"), at("absolute")),
		os.Symlink("loop", at("loop")),
		os.Symlink("gone", at("dangling")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct{ names, want string }{
		{"absolute", "absolute bin usr/bin/tool usr/bin/tool-2"},
		{"bin/tool bin/tool usr/bin/tool-2", "bin usr/bin/tool usr/bin/tool-2"},
		{"bin", "bin usr/bin/other usr/bin/tool usr/bin/tool-2"},
		{"nothing loop", "loop"},
		{"dangling", "dangling"},
	} {
		var names, got []string
		for _, name := range strings.Fields(row.names) {
			names = append(names, at(name))
		}
		for _, path := range residents(names) {
			if name, inside := strings.CutPrefix(path, dir+"/"); inside {
				got = append(got, name)
			}
		}
		if slices.Sort(got); strings.Join(got, " ") != row.want {
			t.Errorf("%s: %s, want %s", row.names, strings.Join(got, " "), row.want)
		}
	}
	shell := residents([]string{"sh", "no-such-program"})
	for _, part := range []string{"/ld-linux", "/libc.so.6", "/ld.so.cache"} {
		if !slices.ContainsFunc(shell, func(path string) bool { return strings.Contains(path, part) }) {
			t.Errorf("the shell lives without %s: %v", part, shell)
		}
	}
	if none := residents(nil); none != nil {
		t.Errorf("nothing asked for, and got %v", none)
	}
}
