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
// recording says so, in phrases.
func (t *text) identity() (parts []string) {
	cluster, run := &t.Graph.Cluster, &t.Graph.Run
	if cluster.UID != "" {
		parts = append(parts, "cluster "+cluster.UID)
	}
	if cluster.User != "" {
		parts = append(parts, "run by "+cluster.User)
	}
	if run.Revision != "" {
		parts = append(parts, "plugin "+run.Revision)
	}
	if images := digests(images(t.Graph)); len(images) > 0 {
		parts = append(parts, "probes "+listed(images))
	}
	return parts
}
