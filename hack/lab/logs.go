package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
)

// tail is how many lines of each log a failed start shows.
const tail = 12

// printLogs shows the ends of the logs that may hold the reason; without a list, all of the lab's.
func printLogs(out io.Writer, lab *state.Lab, files []string) {
	if len(files) == 0 {
		files, _ = filepath.Glob(lab.Path("logs", "*.log")) // the pattern is well-formed
		files = append(files, lab.Path("supervisor.log"))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil || len(data) == 0 {
			continue
		}
		lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
		fmt.Fprintf(out, "--- %s\n", file)
		for _, line := range lines[max(0, len(lines)-tail):] {
			fmt.Fprintf(out, "    %.300s\n", line)
		}
	}
}
