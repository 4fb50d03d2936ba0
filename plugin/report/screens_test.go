package report

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/golden"
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
			golden.Compare(t, fmt.Sprintf("%s.%d.text", name, width), got.Bytes())
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
