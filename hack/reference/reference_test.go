package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/kubectl-wg/kubectl-wg/plugin/command"
)

const docs = "../../docs"

// The committed pages are those of the present commands, no more and no fewer.
func TestPagesAreUpToDate(t *testing.T) {
	want, err := pages(command.Tree())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range want {
		got, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("docs/%s is out of date; run: go generate ./hack/reference", name)
		}
	}
	for _, folder := range []string{"cli", "man"} {
		entries, err := os.ReadDir(filepath.Join(docs, folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if _, known := want[folder+"/"+entry.Name()]; !known {
				t.Errorf("docs/%s/%s is of no command; run: go generate ./hack/reference", folder, entry.Name())
			}
		}
	}
}

// A page is the same at any time and on any machine, and a hidden command has none.
func TestPagesAreTheSameTwice(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	tree := func() *cobra.Command {
		top := command.Tree()
		top.AddCommand(&cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}})
		return top
	}
	first, err := pages(tree())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", t.TempDir())
	second, err := pages(tree())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range first {
		if !bytes.Equal(text, second[name]) {
			t.Errorf("%s differs", name)
		}
		if strings.Contains(name, "secret") {
			t.Errorf("a hidden command has the page %s", name)
		}
	}
}

func TestVerifyHasItsPages(t *testing.T) {
	all, err := pages(command.Tree())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"cli/README.md":            "[kubectl wg verify](kubectl_wg_verify.md)",
		"cli/kubectl_wg_verify.md": "kubectl wg verify --nodes node1,node2",
		"man/kubectl-wg-verify.1":  `.TH "KUBECTL-WG-VERIFY" "1" ""`,
	} {
		if !strings.Contains(string(all[name]), want) {
			t.Errorf("%s has no %q:\n%.300s", name, want, all[name])
		}
	}
}
