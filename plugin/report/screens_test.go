package report

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
)

// screens are the cases that an operator meets, by name: PASS of a few and of
// many nodes, each kind of failure, two at once, and what is not proven. They are
// judged once and not to be changed.
func screens(t *testing.T) map[string]*check.Judgement {
	judgeScreens.Do(func() { judgedScreens = newScreens(t) })
	return judgedScreens
}

var (
	judgeScreens  sync.Once
	judgedScreens map[string]*check.Judgement
)

func newScreens(t *testing.T) map[string]*check.Judgement {
	hundred := mesh.New(100)
	faults := mesh.New(16)
	faults.Leak(3, 7)
	faults.MissingPeer(5, 11)
	broken := mesh.New(16)
	broken.CutShort(9)
	return map[string]*check.Judgement{
		"pass-2":       judged(t, "host-healthy-wireguard"),
		"pass-3":       judged(t, "host-healthy-three"),
		"pass-8":       judged(t, "host-healthy-eight"),
		"pass-100":     check.Judge(hundred),
		"plaintext":    judged(t, "host-stale-flannel-route"),
		"blocked":      judged(t, "host-three-udp-blocked"),
		"two-causes":   check.Judge(faults),
		"inconclusive": judged(t, "host-node-not-ready"),
		"broken-probe": check.Judge(broken),
	}
}

func TestScreens(t *testing.T) {
	for name, j := range screens(t) {
		for _, width := range []int{80, 120} {
			var got bytes.Buffer
			if err := Write(&got, "text", j, Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			compare(t, fmt.Sprintf("%s.%d.text", name, width), got.Bytes())
			if n := rows(got.String(), width); n > lines(j) {
				t.Errorf("%s has %d rows at %d columns, at most %d", name, n, width, lines(j))
			}
		}
	}
}

// A report with one cause fits the screen, whatever was found.
func TestOneCauseFitsTheScreen(t *testing.T) {
	for _, name := range recordings(t) {
		j := judged(t, name)
		if len(j.Decisive()) > 1 {
			continue
		}
		var got bytes.Buffer
		if err := Write(&got, "text", j, Options{}); err != nil {
			t.Fatal(err)
		}
		if n := rows(got.String(), defaultWidth); n > lines(j) {
			t.Errorf("%s has %d rows, at most %d", name, n, lines(j))
		}
	}
}

// recordings are the names of those of package check.
func recordings(t *testing.T) (names []string) {
	files, err := filepath.Glob("../check/testdata/v1/*.ndjson")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".ndjson"))
	}
	return names
}

// screenRows are the screens for a reader, with the rows that each took. What the
// report took before it was made for one screen was counted once, of the same
// evidence.
var screenRows = []struct {
	title, name string
	before      [2]int // rows at 80 and 120 columns
}{
	{"PASS, 2 nodes", "pass-2", [2]int{56, 42}},
	{"PASS, 3 nodes", "pass-3", [2]int{125, 87}},
	{"PASS, 100 nodes", "pass-100", [2]int{26, 24}},
	{"Plaintext", "plaintext", [2]int{111, 89}},
	{"Blocked", "blocked", [2]int{174, 130}},
	{"Two causes at once", "two-causes", [2]int{50, 43}},
	{"Inconclusive: a node could not be tested", "inconclusive", [2]int{24, 23}},
	{"Inconclusive: a probe broke off", "broken-probe", [2]int{49, 46}},
}

// The screens of the documentation are what the report writes.
func TestScreensPage(t *testing.T) {
	var text strings.Builder
	text.WriteString("# Screens\n\nWhat `kubectl wg verify` prints, by cases, from the golden files of its tests. Written by\n" +
		"`go test ./plugin/report -update`. A row is a line of the terminal; what the report took before it was made for one\n" +
		"screen is counted of the same evidence.\n\n| case | rows at 80 columns, before | now | at 120, before | now |\n|---|---|---|---|---|\n")
	screens := screens(t)
	for _, p := range screenRows {
		narrow := rows(fit(screens[p.name], Options{Width: 80}), 80)
		wide := rows(fit(screens[p.name], Options{Width: 120}), 120)
		fmt.Fprintf(&text, "| %s | %d | %d | %d | %d |\n", p.title, p.before[0], narrow, p.before[1], wide)
	}
	for _, p := range screenRows {
		for _, width := range []int{80, 120} {
			fmt.Fprintf(&text, "\n## %s, %d columns\n\n```\n%s```\n", p.title, width, fit(screens[p.name], Options{Width: width}))
		}
	}
	compareFile(t, filepath.Join("..", "..", "docs", "screens.md"), []byte(text.String()))
}
