package main

import (
	"regexp"
	"strings"
)

// line is a line of shell in a document.
type line struct {
	number  int // in the document, from 1
	command string
}

// blocks returns the lines of each block of shell in a Markdown document, those
// that go on with a backslash joined, without comments and empty lines.
func blocks(text string) (blocks [][]line) {
	var block []line
	var begun *line // a line that goes on
	inside := false
	number := 0
	for text := range strings.Lines(text) {
		number++
		text = strings.TrimSpace(text)
		switch {
		case text == "```sh":
			inside = true
		case strings.HasPrefix(text, "```"):
			if inside && block != nil {
				blocks = append(blocks, block)
			}
			block = nil
			inside = false
		case !inside || begun == nil && (text == "" || text[0] == '#'):
		case begun != nil:
			begun.command += strings.TrimSuffix(text, `\`)
			if !strings.HasSuffix(text, `\`) {
				begun = nil
			}
		default:
			block = append(block, line{number, strings.TrimSuffix(text, `\`)})
			if strings.HasSuffix(text, `\`) {
				begun = &block[len(block)-1]
			}
		}
	}
	return blocks
}

var (
	// placeholder matches what a reader replaces: an ellipsis, an example's host, a
	// version, a word in capitals that no variable is.
	placeholder = regexp.MustCompile(`…|\.example\b|v1\.2\.3|(?:^|[\s=])[A-Z]{3,}\b|/path/to/`)
	quoted      = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	comment     = regexp.MustCompile(`\s#\s.*$`)
	// program matches the first word of each command of a line.
	program = regexp.MustCompile(`(?:^|[|;&(]\s*)([\w./-]+)(?:\s|\)|$)`)
	// forever matches commands that go on until they are interrupted.
	forever = regexp.MustCompile(`kubectl wg (?:capture\b|logs .*-f\b|status .*--(?:watch|metrics-listen))`)
	bounded = regexp.MustCompile(`--(?:duration|count|for) `)
)

// here are the programs whose lines are run; any other one changes the machine or
// is not needed for kubectl wg.
var here = map[string]bool{
	"kubectl": true, "jq": true, "sha256sum": true, "zcat": true, "base64": true, "echo": true, "date": true, "command": true,
}

// reason returns why a line is not run in a lab, empty if it is.
func (l line) reason() string {
	text := quoted.ReplaceAllString(comment.ReplaceAllString(l.command, ""), "''")
	if strings.HasPrefix(text, "kubectl krew") {
		return "needs krew's index: make krew installs without"
	}
	for _, found := range program.FindAllStringSubmatch(text, -1) {
		if !here[found[1]] {
			return "needs " + found[1]
		}
	}
	if found := placeholder.FindString(text); found != "" {
		return "has a placeholder, " + strings.Trim(found, " =")
	}
	if strings.Contains(text, "apply -k") {
		return "needs an image of the plugin whose version was named"
	}
	return ""
}

// goesOn reports whether the line runs until it is interrupted.
func (l line) goesOn() bool { return forever.MatchString(l.command) && !bounded.MatchString(l.command) }
