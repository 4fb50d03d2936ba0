package measure

import (
	"os"
	"path/filepath"
	"testing"
)

// A procedure in which a step failed, or tcpdump did not see its packets, has no time that could be compared.
func TestManualNeedsEveryStep(t *testing.T) {
	program := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const sees, fails = "echo listening on any", "exit 1"
	for _, test := range []struct {
		name, lab, kubectl string
		ok                 bool
	}{
		{"all works", sees, "", true},
		{"no device", fails, "", false},
		{"tcpdump sees too little", sees + `; case "$*" in *tcpdump*) exit 124 ;; esac`, "", false},
		{"no answer", sees, `case "$*" in *ping*) exit 1 ;; esac`, false},
	} {
		manual := Manual{Lab: program("lab", test.lab), Nodes: []string{"node-1", "node-2"}, Kubectl: program("kubectl", test.kubectl)}
		if took, err := manual.run(t.Context(), ""); (err == nil) != test.ok || took <= 0 {
			t.Errorf("%s: %v, %v", test.name, took, err)
		}
	}
}
