package check

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Evidence in columns is judged like evidence peer by peer.
func TestColumnsAreJudgedLikeSinglePeers(t *testing.T) {
	for _, families := range [][]int{{4}, {4, 6}} {
		packed, unpacked := mesh.New(9, families...), mesh.New(9, families...)
		unpacked.Unpacked = true
		for _, m := range []*mesh.Mesh{packed, unpacked} {
			m.Leak(1, 2)
			m.LoseUDP(5, 3)
			m.MissingPeer(7, 8)
		}
		one, other := judgedAs(packed, verdict.Detailed), judgedAs(unpacked, verdict.Detailed)
		if left, right := fmt.Sprintf("%+v", one.Findings), fmt.Sprintf("%+v", other.Findings); left != right {
			t.Errorf("%v: findings differ:\n%s\n%s", families, left, right)
		}
	}
}

// lacking is a mesh without one message, which seems to be whole all the same.
type lacking struct {
	*mesh.Mesh
	stream string
	at     int
}

func (l lacking) Messages(stream string) []*evidence.Message {
	messages := l.Mesh.Messages(stream)
	if stream == l.stream {
		messages = slices.Delete(messages, l.at, l.at+1)
	}
	return messages
}

// Law: a node that leaves a column out and counts right all the same gains
// nothing by it.
func TestLeavingOutAColumnNeverPasses(t *testing.T) {
	m := mesh.New(6)
	explains := []evidence.Kind{evidence.KindModule, evidence.KindHello, evidence.KindLink, evidence.KindCapture,
		evidence.KindBye}
	left := map[evidence.Kind]int{}
	for _, stream := range m.Streams()[1:] {
		for i, message := range m.Messages(stream) {
			kind, _ := message.Kind()
			advice := kind == evidence.KindRoute && message.Route.Destination.IsValid() ||
				kind == evidence.KindRoutes && message.Routes.Link == "eth0"
			if slices.Contains(explains, kind) || advice {
				continue
			}
			left[kind]++
			if r := judgedAs(lacking{m, stream, i}, verdict.Detailed); r.Verdict == verdict.Passed {
				t.Errorf("passes without the %s of %s", kind, stream)
			}
		}
	}
	for _, kind := range []evidence.Kind{evidence.KindPeers, evidence.KindCounts, evidence.KindTunnels,
		evidence.KindCanaries, evidence.KindRoutes, evidence.KindControls, evidence.KindWitness} {
		if left[kind] == 0 {
			t.Errorf("the mesh has no %s", kind)
		}
	}
}

// Law: a column that makes no sense makes its stream incomplete.
func TestDamagedColumnsNeverPass(t *testing.T) {
	for name, damage := range map[string]func(*evidence.Message){
		"peers":    func(m *evidence.Message) { m.Peers.TX = m.Peers.TX[1:] },
		"keys":     func(m *evidence.Message) { m.Peers.Keys = append(m.Peers.Keys, m.Peers.Keys[0]) },
		"ends":     func(m *evidence.Message) { m.Peers.Endpoints = m.Peers.Endpoints[1:] },
		"counts":   func(m *evidence.Message) { m.Counts.RX = m.Counts.RX[1:] },
		"numbers":  func(m *evidence.Message) { m.Counts.First = 77 },
		"tunnels":  func(m *evidence.Message) { m.Tunnels.TXSessions = nil },
		"canaries": func(m *evidence.Message) { m.Canaries.RTTs = nil },
	} {
		m := mesh.New(6)
		damaged := damagedMesh{m, damage, name}
		r := judgedAs(damaged, verdict.Detailed)
		if r.Verdict != verdict.Undecided {
			t.Errorf("%s: %s", name, r.Verdict)
		}
	}
}

type damagedMesh struct {
	*mesh.Mesh
	damage func(*evidence.Message)
	name   string
}

func (d damagedMesh) Messages(stream string) []*evidence.Message {
	messages := d.Mesh.Messages(stream)
	for _, m := range messages {
		fits := map[string]bool{"peers": m.Peers != nil, "keys": m.Peers != nil, "ends": m.Peers != nil,
			"counts": m.Counts != nil, "numbers": m.Counts != nil,
			"tunnels": m.Tunnels != nil, "canaries": m.Canaries != nil}
		if fits[d.name] && (stream == "probe/node-0002" || stream == "pod/node-0002") {
			d.damage(m)
			break
		}
	}
	return messages
}
