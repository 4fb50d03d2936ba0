// Command browser writes pages of kubectl wg verify -o html that a browser is to
// open: recordings of each verdict, and generated runs of many nodes.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kubectl-wg/kubectl-wg/hack/mesh"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// recordings are those of package check, by the name of their page.
var recordings = map[string]string{
	"pass":         "host-healthy-wireguard",
	"eight":        "host-healthy-eight",
	"leak":         "host-stale-flannel-route",
	"blocked":      "host-three-udp-blocked",
	"inconclusive": "host-probe-blind",
	"no-pair":      "host-node-not-ready",
	"dual-stack":   "host-healthy-dual",
	"services":     "live-classes-service-leak",
}

func main() {
	output := flag.String("output", ".", "`directory` for the pages")
	from := flag.String("recordings", "plugin/check/testdata/v1", "`directory` of recordings")
	nodes := flag.Int("nodes", 1000, "nodes of the largest run")
	flag.Parse()
	if err := pages(*output, *from, *nodes); err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		os.Exit(1)
	}
}

func pages(output, from string, nodes int) error {
	for name, recorded := range recordings {
		file, err := os.Open(filepath.Join(from, recorded+".ndjson"))
		if err != nil {
			return err
		}
		read, err := recording.Read(file)
		file.Close()
		if err != nil {
			return err
		}
		if err := page(output, name, check.Judge(read)); err != nil {
			return err
		}
	}
	for name, mesh := range meshes(nodes) {
		if err := page(output, name, check.Judge(mesh)); err != nil {
			return err
		}
	}
	return nil
}

// meshes are runs of many nodes: one fine, some with faults.
func meshes(most int) map[string]graph.Recorded {
	faults := mesh.New(60)
	faults.Leak(3, 7)
	faults.MissingPeer(5, 11)
	for to := range 60 {
		if to != 20 {
			faults.LoseCanaries(20, to)
		}
	}
	large := mesh.New(most)
	large.Leak(most/3, most/2)
	for to := range 40 {
		large.LoseCanaries(most-1, to)
	}
	return map[string]graph.Recorded{"pass-100": mesh.New(100), "fail-60": faults, "fail-most": large}
}

// page writes one page, with what identifies a run in it.
func page(output, name string, j *check.Judgement) error {
	identify(j)
	file, err := os.Create(filepath.Join(output, name+".html"))
	if err != nil {
		return err
	}
	defer file.Close()
	options := report.Options{Recording: report.Recording{
		Name: "evidence.ndjson.gz", SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	}}
	return report.Write(file, "html", j, options)
}

// identify adds what recordings of earlier versions lack.
func identify(j *check.Judgement) {
	const image = "ghcr.io/kubectl-wg/wg-probe@sha256:4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a"
	j.Graph.Cluster.UID, j.Graph.Cluster.User = "6e1f8f7e-3a53-4b8e-9d43-0c6d3a4f1d11", "operator@example.org"
	j.Graph.Run.Revision = "0123456789abcdef0123456789abcdef01234567"
	j.Graph.Run.Phases = []evidence.Phase{
		{Name: "reading cluster state", Began: 12, Took: 220}, {Name: "checking permissions", Began: 233, Took: 140},
		{Name: "starting probe pods", Began: 374, Took: 2900}, {Name: "testing", Began: 3275, Took: 4100},
	}
	for _, n := range j.Graph.Nodes {
		for _, pod := range n.Pods {
			pod.Image = image
		}
	}
}
