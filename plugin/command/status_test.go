package command

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-wg/kubectl-wg/plugin/metrics"
	"github.com/kubectl-wg/kubectl-wg/plugin/status"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// at is a state with as many nodes, and a problem or none.
func at(second int, nodes int, text string) *status.Cluster {
	c := &status.Cluster{At: time.Date(2026, 11, 27, 12, 0, second, 0, time.UTC)}
	for range nodes {
		c.Nodes = append(c.Nodes, &status.Node{Name: "node"})
	}
	if text != "" {
		c.Problems = []status.Problem{{Code: "WG0501", Status: verdict.Fail, Text: text}}
	}
	return c
}

// A table is drawn over the one before, line by line, and what that had below is
// erased.
func TestScreen(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "screen"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	line := &root{streams: Streams{Out: file}, color: "never"}
	var f statusFlags
	f.format = genericclioptions.NewPrintFlags("")
	s := &screen{root: line, flags: &f, file: file}
	for i, c := range []*status.Cluster{at(0, 3, "something"), at(2, 1, "")} {
		if err := s.show(c); err != nil {
			t.Fatal(err)
		}
		if want := []int{10, 6}[i]; s.drawn != want {
			t.Errorf("%d lines, want %d", s.drawn, want)
		}
	}
	drawn, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	first, second, ok := strings.Cut(string(drawn), "\x1b[10A\r")
	erased := func(text string) int { return strings.Count(text, "\x1b[K\n") }
	if !ok || erased(first) != 10 || erased(second) != 6 || !strings.HasSuffix(second, "\x1b[J") {
		t.Errorf("%q", drawn)
	}
}

// Elsewhere a table is followed by lines, each with its time.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	l := &lines{
		root:  &root{streams: Streams{Out: &out}},
		write: func(w io.Writer, _ *status.Cluster) error { _, err := io.WriteString(w, "table\n"); return err },
	}
	for i, text := range []string{"", "node-1 is silent", "node-1 is silent", ""} {
		if err := l.show(at(2*i, 1, text)); err != nil {
			t.Fatal(err)
		}
	}
	const summary = "1 node, 0 devices, 0 peers, 0 B received, 0 B sent; "
	want := "table\n" +
		"12:00:02 FAIL    WG0501  node-1 is silent\n12:00:02 " + summary + "1 failure\n" +
		"12:00:04 " + summary + "1 failure\n" +
		"12:00:06 OK      WG0501  no longer: node-1 is silent\n12:00:06 " + summary + "no problem found\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// The endpoint serves metrics until it is stopped, after which nothing of it is left.
func TestServe(t *testing.T) {
	before := runtime.NumGoroutine()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	exporter := metrics.New()
	exporter.Set(at(0, 1, "silent"))
	stop := serve(listener, exporter.Handler())
	client := &http.Client{Transport: &http.Transport{}}
	for path, want := range map[string]string{
		"/metrics": `kubectl_wg_problems{code="WG0501",status="fail"} 1`,
		"/":        "metrics are at /metrics",
		"/other":   "404 page not found",
	} {
		answer, err := client.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if !strings.Contains(string(text), want) {
			t.Errorf("%s: %s", path, text)
		}
	}
	stop()
	client.CloseIdleConnections()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
