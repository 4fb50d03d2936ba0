// Command remedies writes the page of all remedies, docs/remedies.md, to stdout:
// those with commands and what else they change, those without and why.
//
// What a reviewer says of a row is the comment above it in plugin/remedy. The
// product does not need it, so it is read from the source.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
)

//go:generate sh -c "go run . > ../../docs/remedies.md"

func main() {
	if err := page(os.Stdout, "../../plugin/remedy"); err != nil {
		fmt.Fprintln(os.Stderr, "remedies:", err)
		os.Exit(1)
	}
}

// row is a remedy and what its reviewer says.
type row struct {
	code   string
	entry  remedy.Entry
	review string // empty if nobody reviewed it
	file   string // of plugin/remedy
}

// rows are all remedies, in the order of the checks.
func rows(source string) ([]row, error) {
	comments, err := read(source)
	if err != nil {
		return nil, err
	}
	var all []row
	for _, c := range check.Documented() {
		for _, entry := range remedy.Of(c.Code) {
			comment := comments.take(key{c.Code, entry.Variant, entry.Distribution})
			all = append(all, row{code: c.Code, entry: entry, review: comment.text, file: comment.file})
		}
	}
	return all, nil
}

func page(w io.Writer, source string) error {
	all, err := rows(source)
	if err != nil {
		return err
	}
	var text strings.Builder
	text.WriteString("# Remedies\n\nWritten by `make generate`. What each prints is in [checks.md](checks.md).\n")
	section(&text, "With commands: what else they change", "changes", all, true)
	section(&text, "Without commands, and why", "why", all, false)
	_, err = io.WriteString(w, text.String())
	return err
}

func section(text *strings.Builder, title, column string, all []row, commands bool) {
	fmt.Fprintf(text, "\n## %s\n\n| code | failure | system | fix | %s |\n|---|---|---|---|---|\n", title, column)
	for _, r := range all {
		if e := r.entry; len(e.Hint.Steps) > 0 == commands {
			fmt.Fprintf(text, "| %s | %s | %s | %s | %s |\n", r.code, e.Variant, e.Distribution, e.Hint.Title, r.review)
		}
	}
}
