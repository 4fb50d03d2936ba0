package metrics

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/status"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// cluster is a full mesh of so many nodes, of which the last was not read.
func cluster(nodes int) *status.Cluster {
	c := &status.Cluster{Problems: []status.Problem{
		{Code: "WG0103", Status: verdict.Inconclusive}, {Code: "WG0701", Status: verdict.Warn},
		{Code: "WG0701", Status: verdict.Warn},
	}}
	for i := range nodes {
		n := &status.Node{Name: fmt.Sprintf("node-%d", i)}
		c.Nodes = append(c.Nodes, n)
		if i == nodes-1 {
			n.Lost = "the connection broke"
			continue
		}
		d := &status.Device{Device: evidence.Device{Name: "flannel-wg", PublicKey: fmt.Sprintf("key%d=", i)}}
		for j := range nodes - 1 {
			p := &status.Peer{Peer: evidence.Peer{RX: 100, TX: uint64(j)}}
			if j > 0 {
				p.Handshake = 1_800_000_000_000_000_000 + int64(j)*1_000_000_000
			}
			d.Peers = append(d.Peers, p)
		}
		n.Devices = append(n.Devices, d)
	}
	return c
}

// The names and labels are those of the exporters that people have dashboards for.
func TestOpenMetrics(t *testing.T) {
	e := New()
	e.Set(cluster(4))
	var text bytes.Buffer
	if err := e.Write(&text); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/openmetrics.txt")
	if err != nil || text.String() != string(want) {
		t.Errorf("%v; got\n%s", err, text.String())
	}
}

// The number of series grows with the number of nodes, not with its square.
func TestSeriesPerNode(t *testing.T) {
	series := func(nodes int) int {
		e := New()
		e.Set(cluster(nodes))
		var text bytes.Buffer
		if err := e.Write(&text); err != nil {
			t.Fatal(err)
		}
		count := 0
		for line := range strings.Lines(text.String()) {
			if !strings.HasPrefix(line, "#") {
				count++
			}
		}
		return count
	}
	if ten, hundred := series(10), series(100); hundred-ten != 90*6 {
		t.Errorf("%d series of 10 nodes, %d of 100", ten, hundred)
	}
}

func TestHandler(t *testing.T) {
	e := New()
	get := func() string {
		recorder := httptest.NewRecorder()
		e.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		text, _ := io.ReadAll(recorder.Result().Body)
		return string(text)
	}
	if got := get(); got != "" {
		t.Errorf("before the first state: %s", got)
	}
	e.Set(cluster(2))
	got := get()
	for _, want := range []string{
		"# TYPE wireguard_sent_bytes_total counter\n",
		`wireguard_received_bytes_total{friendly_name="node-0",interface="flannel-wg",public_key="key0="} 100`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
	broken := cluster(2)
	broken.Nodes[0].Name = "\xff"
	e.Set(broken)
	if got := get(); !strings.Contains(got, `friendly_name="�"`) {
		t.Error(got)
	}
}
