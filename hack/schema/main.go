// Command schema writes the JSON Schema of the report, docs/report.schema.json, to
// stdout.
package main

import (
	"fmt"
	"os"

	"github.com/kubectl-wg/kubectl-wg/plugin/report"
)

func main() {
	if err := report.Schema(os.Stdout, false); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}
