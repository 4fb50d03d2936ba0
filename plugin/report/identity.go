package report

import (
	"slices"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
)

// images are what the pods of a run were made of, each once, in order.
func images(g *graph.Graph) (all []string) {
	for _, n := range g.Nodes {
		for _, pod := range n.Pods {
			if pod.Image != "" {
				all = with(all, pod.Image)
			}
		}
	}
	return all
}

// digest is the last part of an image that has one: what does not depend on the
// registry. Of others it is the whole image.
func digest(image string) string {
	if at := strings.LastIndex(image, "sha256:"); at >= 0 {
		return image[at:]
	}
	return image
}

// digests are those of images, each once.
func digests(images []string) (all []string) {
	for _, image := range images {
		if one := digest(image); !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// identity names the cluster, who verified it and with what, as far as the
// recording says so, in phrases. What is long is cut, but for details.
func (t *text) identity() (parts []string) {
	cluster, run := &t.Graph.Cluster, &t.Graph.Run
	if cluster.UID != "" {
		parts = append(parts, "cluster "+cluster.UID)
	}
	if cluster.User != "" {
		parts = append(parts, "run by "+cluster.User)
	}
	if run.Revision != "" {
		parts = append(parts, "plugin "+t.cutHex(run.Revision))
	}
	var probes []string
	for _, image := range digests(images(t.Graph)) {
		probes = append(probes, t.cutHex(image))
	}
	if len(probes) > 0 {
		parts = append(parts, "probes "+listed(probes))
	}
	return parts
}

// cutHex keeps of a revision or digest what distinguishes it from others.
func (t *text) cutHex(name string) string {
	hex, isDigest := strings.CutPrefix(name, "sha256:")
	const enough = 12
	if t.Details || len(hex) <= enough {
		return name
	}
	if isDigest {
		return "sha256:" + hex[:enough]
	}
	return hex[:enough]
}
