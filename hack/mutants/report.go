package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// count is how many mutants of a package met each end.
type count struct {
	path   string
	all    int
	status map[string]int
}

func newCount(path string, mutants []mutant) count {
	one := count{path: path, all: len(mutants), status: map[string]int{}}
	for _, m := range mutants {
		one.status[m.Status]++
	}
	return one
}

// share is what was killed of the mutants that tests ran against to their end,
// in percent; 0 if there is none.
func (c *count) share() float64 {
	return 100 * float64(c.status[killed]) / float64(max(1, c.status[killed]+c.status[lived]))
}

func printCounts(w io.Writer, all []count) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\npackage\tmutants\tkilled\tlived\ttimed out\tnot covered\tdo not compile\tkilled of killed and lived")
	for _, c := range all {
		s := c.status
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f %%\n", c.path, c.all,
			s[killed], s[lived], s[timedOut], s[notCovered], s[notViable], c.share())
	}
	table.Flush()
}

// survivor names a mutant by what it changes, so that it keeps its name when
// lines and files move.
type survivor struct {
	file string // without its directory
	kind string
	line string // of the source, the operator marked: `if a «&&» b {`
}

func (s survivor) String() string { return fmt.Sprintf("`%s` %s `%s`", s.file, s.kind, s.line) }

// printLived prints the mutants that lived, each with its reason, and reasons
// that are needed no longer.
func printLived(w io.Writer, path string, mutants []mutant, known map[survivor]string) error {
	seen := map[survivor]bool{}
	slices.SortFunc(mutants, func(a, b mutant) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	fmt.Fprintf(w, "\nlived in %s:\n", path)
	for _, m := range mutants {
		s, err := m.survivor(path)
		if err != nil {
			return err
		}
		seen[s] = seen[s] || m.Status == lived
		if m.Status == lived {
			fmt.Fprintf(w, "%s:%d:%d\n- %s\n  %s\n", filepath.Join(path, m.File), m.Line, m.Column, s,
				cmp.Or(known[s], "NO REASON GIVEN"))
		}
	}
	for s := range known {
		if still, here := seen[s]; here && !still {
			fmt.Fprintf(w, "%s lists what is killed now: %s\n", reasons, s)
		}
	}
	return nil
}

// survivor reads the line that a mutant changes.
func (m *mutant) survivor(path string) (survivor, error) {
	b, err := os.ReadFile(filepath.Join(path, m.File))
	if err != nil {
		return survivor{}, err
	}
	lines := strings.Split(string(b), "\n")
	if m.Line > len(lines) || m.Column > len(lines[m.Line-1]) {
		return survivor{}, fmt.Errorf("%s has no line %d with %d bytes", m.File, m.Line, m.Column)
	}
	return survivor{file: filepath.Base(m.File), kind: m.Type, line: marked(lines[m.Line-1], m.Column-1)}, nil
}

var operator = regexp.MustCompile(`^(?:[-+*/%&|^<>=!]+|break|continue)`)

// marked returns a line with the operator at an offset in quotes.
func marked(line string, at int) string {
	end := at + len(operator.FindString(line[at:]))
	return strings.TrimSpace(line[:at] + "«" + line[at:end] + "»" + line[end:])
}

var item = regexp.MustCompile("^- `([^`]+)` ([A-Z_]+) `(.+)`$")

// readReasons reads the survivors that are explained: items of a list, each with
// its reason on the indented lines below it.
func readReasons(path string) (map[survivor]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	known := map[survivor]string{}
	var last survivor
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		line := scanner.Text()
		if found := item.FindStringSubmatch(line); found != nil {
			last = survivor{file: found[1], kind: found[2], line: found[3]}
		} else if text, ok := strings.CutPrefix(line, "  "); ok && last.file != "" {
			known[last] = strings.TrimSpace(known[last] + " " + text)
		} else {
			last = survivor{}
		}
	}
	return known, scanner.Err()
}
