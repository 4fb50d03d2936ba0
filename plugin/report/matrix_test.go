package report

import (
	"bytes"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
)

// meshes are runs over more pairs than a report spells out.
func meshes() map[string]*mesh.Mesh {
	faults := mesh.New(16)
	faults.Leak(3, 7)
	faults.StaleRoute(2, 9)
	faults.MissingPeer(5, 11)
	deaf := mesh.New(16)
	for from := range 16 {
		if from != 4 {
			deaf.LoseCanaries(from, 4)
		}
	}
	broken := mesh.New(16)
	broken.CutShort(9)
	ring := mesh.New(16)
	ring.Ask("ring")
	return map[string]*mesh.Mesh{
		"mesh-ring": ring, "mesh-healthy": mesh.New(16), "mesh-dual-stack": mesh.New(12, 4, 6), "mesh-faults": faults, "mesh-deaf-node": deaf, "mesh-broken-probe": broken,
	}
}

func TestGoldenMeshes(t *testing.T) {
	for name, m := range meshes() {
		for _, format := range []string{"text", "json"} {
			if format == "json" && name != "mesh-ring" && name != "mesh-faults" {
				continue // two show what a document of many pairs is made of
			}
			var got bytes.Buffer
			if err := Write(&got, format, check.Judge(m), Options{}); err != nil {
				t.Fatal(err)
			}
			compare(t, name+"."+format, got.Bytes())
		}
	}
}

// However many pairs fail, the report stays one that a person and a pipeline can take.
func TestReportIsBounded(t *testing.T) {
	m := mesh.New(60)
	for from := range 60 {
		for to := range 60 {
			if from != to && (from+to)%3 > 0 {
				m.LoseCanaries(from, to)
			}
		}
	}
	j := check.Judge(m)
	for format, limit := range map[string]int{"text": 20 << 10, "json": 4 << 20} {
		var got bytes.Buffer
		if err := Write(&got, format, j, Options{Verbose: true}); err != nil {
			t.Fatal(err)
		}
		if got.Len() > limit {
			t.Errorf("%s: %d bytes of %d failed pairs, at most %d", format, got.Len(), len(j.Pairs), limit)
		}
	}
}
