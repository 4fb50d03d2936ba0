// Command checks writes the page of all checks, docs/checks.md, to stdout.
package main

import (
	"fmt"
	"os"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

func main() {
	if err := report.Document(os.Stdout, check.Documented()); err != nil {
		fmt.Fprintln(os.Stderr, "checks:", err)
		os.Exit(1)
	}
}
