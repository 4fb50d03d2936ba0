// Command reference writes the command reference, docs/cli, and the manual pages,
// docs/man, from the commands themselves. A test says if they are out of date.
//
//	reference FOLDER    writes FOLDER/cli and FOLDER/man
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/kubectl-wg/kubectl-wg/plugin/command"
)

//go:generate go run . ../../docs

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: reference FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// write replaces both folders: a page of a command that is gone goes too.
func write(folder string) error {
	pages, err := pages(command.Tree())
	if err != nil {
		return err
	}
	for _, name := range []string{"cli", "man"} {
		if err := os.RemoveAll(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("removing the old pages: %w", err)
		}
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			return fmt.Errorf("creating the folder for the pages: %w", err)
		}
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return fmt.Errorf("writing a page: %w", err)
		}
	}
	return nil
}

// pages are the pages of a command and all below it, by their names: cli/….md and
// man/….1.
func pages(of *cobra.Command) (map[string][]byte, error) {
	all := map[string][]byte{}
	of.DisableAutoGenTag = true // it has the date
	var index strings.Builder
	index.WriteString("# Commands\n\nWritten from the commands by `make generate`. " +
		"Manual pages are in [docs/man](../man).\n\n")
	err := visit(of, func(c *cobra.Command) error {
		var markdown, manual bytes.Buffer
		if err := doc.GenMarkdown(c, &markdown); err != nil {
			return fmt.Errorf("writing the page of %s: %w", c.CommandPath(), err)
		}
		header := doc.GenManHeader{Section: "1", Manual: "kubectl wg", Source: "kubectl wg", Date: &time.Time{}}
		if err := doc.GenMan(c, &header, &manual); err != nil {
			return fmt.Errorf("writing the manual page of %s: %w", c.CommandPath(), err)
		}
		page := strings.ReplaceAll(c.CommandPath(), " ", "_") + ".md"
		all["cli/"+page] = markdown.Bytes()
		// A date would make the page out of date each month.
		undated := bytes.ReplaceAll(manual.Bytes(), []byte(`"Jan 0001"`), []byte(`""`))
		all["man/"+strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"] = undated
		fmt.Fprintf(&index, "- [%s](%s): %s\n", c.CommandPath(), page, c.Short)
		return nil
	})
	all["cli/README.md"] = []byte(index.String())
	return all, err
}

// visit calls do for a command and for all below it that a user sees.
func visit(of *cobra.Command, do func(*cobra.Command) error) error {
	if err := do(of); err != nil {
		return err
	}
	for _, c := range of.Commands() {
		if !c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := visit(c, do); err != nil {
			return err
		}
	}
	return nil
}
