package status

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence/columns"
)

// meshAnswers are what the probes of a generated mesh answer.
func meshAnswers(t *testing.T, m *mesh.Mesh) (answers []Answer) {
	t.Helper()
	for _, stream := range m.Streams() {
		role, node := evidence.SplitStream(stream)
		if role != "probe" {
			continue
		}
		answer := Answer{Node: node, At: time.Unix(1_800_000_000, 0)}
		var unpacker columns.Unpacker
		for _, message := range m.Messages(stream) {
			if !ofDevice(message) {
				continue
			}
			err := unpacker.Unpack(message, func(one *evidence.Message) { answer.Messages = append(answer.Messages, one) })
			if err != nil {
				t.Fatal(err)
			}
		}
		answers = append(answers, answer)
	}
	return answers
}

// A hundred nodes are one screen, on which the one thing that is wrong comes first,
// and are judged in less time than one reading takes.
func TestManyNodes(t *testing.T) {
	const nodes = 100
	m := mesh.New(nodes)
	m.MissingPeer(17, 42)
	answers := meshAnswers(t, m)
	for _, a := range answers {
		for _, message := range a.Messages {
			if message.Link != nil {
				message.Link.Up = true
			}
		}
	}
	monitor := NewMonitor(m)
	began := time.Now()
	c := next(t, monitor, answers)
	t.Logf("the first state took %s", time.Since(began))
	began = time.Now()
	again := next(t, monitor, moved(answers, 2*time.Second, func(p *evidence.Peer) { p.RX += 1000; p.TX += 10 }))
	t.Logf("the second took %s", time.Since(began))
	if sum := c.count(); sum.nodes != nodes || sum.devices != nodes || sum.peers != nodes*(nodes-1)-1 {
		t.Errorf("%+v", sum)
	}
	if rate := again.Nodes[0].Devices[0].Sum().Rate; rate == nil || rate.RX < 90*500 {
		t.Errorf("%+v", rate)
	}
	var text bytes.Buffer
	if err := again.Table(&text, TableOptions{Width: 200, Height: 50}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text.String(), "\n")
	if len(lines) > 51 || !strings.HasPrefix(lines[1], mesh.Name(17)+"  ") {
		t.Errorf("%d lines\n%s", len(lines), text.String())
	}
	text.Reset()
	if err := again.Table(&text, TableOptions{}); err != nil || strings.Count(text.String(), "\n") > 50 {
		t.Errorf("%v\n%s", err, text.String())
	}
	if !strings.Contains(text.String(), "FAIL    WG0302  node-0017 has no peer with the key of node-0042\n") {
		t.Error(text.String())
	}
	for _, n := range again.Nodes {
		for _, d := range n.Devices {
			for _, p := range d.Peers {
				if p.Node == "" || p.Node == n.Name {
					t.Fatalf("%s: a peer stands for %q", n.Name, p.Node)
				}
			}
		}
	}
}
