package report

import (
	"fmt"
	"io"
)

// WriteData writes a document of another command as "json" or "yaml", in the order
// of its fields and with everything escaped that came from elsewhere.
func WriteData(w io.Writer, format string, document any) error {
	switch format {
	case "json":
		return printJSON(w, document)
	case "yaml":
		return printYAML(w, document)
	}
	return fmt.Errorf("unknown format %q, one of: json, yaml", format)
}

// PrintableLine is Printable for text that belongs on one line.
func PrintableLine(text string) string { return clean(text) }
