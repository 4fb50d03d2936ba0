// Package report renders a judgement. Each format has a file of its own and
// sees only the judgement: no cluster, no clock. Whatever came from a node is
// escaped before it is written.
//
// The text report is made of parts, a file each: header, causes, fix, proof,
// warnings, scope. It is made to be read on one screen; see fit in text.go.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
)

// Options are what a renderer can be asked for.
type Options struct {
	Color   bool // ANSI colours, text only
	Verbose bool // every finding and raw bytes, text only
	Details bool // the figures of every pair, text only
	// Width is that of the terminal in columns, text only; 0 is 80.
	Width int
	// FailOnWarn makes the exit code of a PASS with warnings 1.
	FailOnWarn bool
	// Recording is the file from which the verdict can be computed again.
	Recording Recording
}

// Recording names a file of evidence; the zero value is none.
type Recording struct {
	Name   string `json:"name"`   // without its directory
	SHA256 string `json:"sha256"` // of the file as it is, hex
}

// formats are the renderers by name, in the order in which help names them.
var formats = []struct {
	name  string
	write func(io.Writer, *check.Judgement, Options) error
}{
	{"text", writeText},
	{"short", writeShort},
	{"json", writeJSON},
	{"yaml", writeYAML},
	{"markdown", writeMarkdown},
	{"html", writeHTML},
	{"junit", writeJUnit},
	{"policyreport", writePolicyReport},
	{"openreports", writeOpenReport},
	{inToto, writeInToto},
	{"openmetrics", writeOpenMetrics},
}

// Formats returns the names of all formats.
func Formats() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return names
}

// Known reports whether there is a format of that name.
func Known(format string) bool { return slices.Contains(Formats(), format) }

// Write renders the judgement in the named format.
func Write(w io.Writer, format string, j *check.Judgement, options Options) error {
	for _, f := range formats {
		if f.name == format {
			return f.write(w, j, options)
		}
	}
	return fmt.Errorf("unknown format %q, one of: %s", format, strings.Join(Formats(), ", "))
}
