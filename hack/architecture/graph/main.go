// Command graph prints which package of the product imports which, in the
// order in which they build on each other, and fails if the tree holds a
// package that docs/architecture.md does not know.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kubectl-wg/kubectl-wg/hack/architecture"
)

func main() {
	if err := graph(); err != nil {
		fmt.Fprintln(os.Stderr, "graph:", err)
		os.Exit(1)
	}
}

func graph() error {
	root, err := architecture.Root()
	if err != nil {
		return err
	}
	packages, err := architecture.Load(root, "linux")
	if err != nil {
		return err
	}
	own := map[string]architecture.Package{}
	for _, p := range packages {
		if p.Own() {
			own[p.Short()] = p
		}
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, layer := range architecture.Layers {
		p, ok := own[layer.Path]
		if !ok {
			fmt.Fprintf(table, "%s\t(not written yet)\n", layer.Path)
			continue
		}
		delete(own, layer.Path)
		fmt.Fprintf(table, "%s\t%s\n", layer.Path, imports(p))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	var beside []string
	for path := range own {
		beside = append(beside, path)
	}
	if len(beside) > 0 {
		slices.Sort(beside)
		return fmt.Errorf("not in docs/architecture.md: %s", strings.Join(beside, ", "))
	}
	return nil
}

func imports(p architecture.Package) string {
	var names []string
	for _, path := range p.Imports {
		if name, ours := strings.CutPrefix(path, architecture.Module+"/"); ours {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, " ")
}
