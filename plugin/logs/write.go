package logs

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Writer writes lines as text.
type Writer struct {
	To   io.Writer
	Zone *time.Location           // of the times, nil for UTC
	Show func(text string) string // makes text from a cluster fit to be shown; never nil
}

// Findings writes the known problems with what they mean, before the lines.
func (w Writer) Findings(findings []Finding) error {
	for _, f := range findings {
		times := "once"
		if f.Times > 1 {
			times = fmt.Sprintf("%d times", f.Times)
		}
		_, err := fmt.Fprintf(w.To, "%s\n  %s %s: %s\n  seen %s, last at %s\n%s\n",
			heading(f.Message, f.Node), w.Show(f.Node), w.Show(f.Source), w.Show(oneLine(f.Last.Text)),
			times, w.time(f.Last.Time), fix(f.Message))
		if err != nil {
			return err
		}
	}
	return nil
}

func heading(m *Message, node string) string {
	if m.Code == "" {
		return node + ": " + m.Means
	}
	return m.Code + " " + node + ": " + m.Means
}

func fix(m *Message) string {
	if m.Hint == "" {
		return ""
	}
	return "  Fix: " + m.Hint + "\n"
}

// Line writes one line. Explained says that what is known of it is written below
// it, which Findings has not done.
func (w Writer) Line(line Line, explained bool) error {
	code := ""
	if line.Known != nil && line.Known.Code != "" {
		code = line.Known.Code + " "
	}
	_, err := fmt.Fprintf(w.To, "%s %s %s: %s%s\n",
		w.time(line.Time), w.Show(line.Node), w.Show(line.Source), code, w.Show(oneLine(line.Text)))
	if err != nil || !explained || line.Known == nil {
		return err
	}
	_, err = fmt.Fprintf(w.To, "    means: %s\n%s", line.Known.Means, indented(fix(line.Known)))
	return err
}

func indented(text string) string {
	if text == "" {
		return ""
	}
	return "  " + text
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }

func (w Writer) time(t time.Time) string {
	zone := w.Zone
	if zone == nil {
		zone = time.UTC
	}
	if t.IsZero() {
		return "(no time)          "
	}
	return t.In(zone).Format("2006-01-02 15:04:05")
}
