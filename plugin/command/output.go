package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
)

// write writes the judgement to stdout, all of it or nothing.
func (r *root) write(write writer, j *check.Judgement) error {
	var buffer bytes.Buffer
	if err := write(&buffer, j); err != nil {
		return err
	}
	r.reported = true
	if _, err := buffer.WriteTo(r.streams.Out); err != nil {
		return errors.Join(fmt.Errorf("writing the report: %w", err), r.writeJUnit(j))
	}
	return r.writeJUnit(j)
}

// junit is the name of the format that --junit-file writes.
const junit = "junit"

// writeJUnit writes the file of --junit-file, if one is named.
func (r *root) writeJUnit(j *check.Judgement) error {
	if r.junitFile == "" {
		return nil
	}
	err := replace(r.junitFile, func(file io.Writer) error {
		return report.Write(file, junit, j, report.Options{FailOnWarn: r.failOnWarn, Recording: r.recorded})
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w", r.junitFile, err)
	}
	return nil
}

// terminal reports whether w is a terminal.
func terminal(w any) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// width is how many columns the terminal has, 0 where w is none.
func width(w any) int {
	file, ok := w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// colourful reports whether colours are written to w; see https://no-color.org.
func colourful(w any) bool {
	return terminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// printManifests prints what a run with these options would create.
func (r *root) printManifests(ctx context.Context, o run.Options) error {
	objects, err := run.Objects(ctx, o)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := r.printManifest(object); err != nil {
			return fmt.Errorf("printing the manifests: %w", err)
		}
	}
	return nil
}

func (r *root) printManifest(object any) error {
	text, err := yaml.Marshal(object)
	if err != nil {
		return err
	}
	var fields map[string]any
	if err := yaml.Unmarshal(text, &fields); err != nil {
		return err
	}
	delete(fields, "status") // set by the server
	text, err = yaml.Marshal(fields)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.streams.Out, "---\n%s", text)
	return err
}
