package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// The identity of the tests' runs.
const (
	testUID      = "6e1f8f7e-3a53-4b8e-9d43-0c6d3a4f1d11"
	testUser     = "jane doe@example.org"
	testRevision = "0123456789abcdef0123456789abcdef01234567"
	testDigest   = "sha256:4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a"
	testImage    = "registry.example/wg-probe@" + testDigest
)

// identified adds to a judgement what recordings of earlier versions lack.
func identified(j *check.Judgement) *check.Judgement {
	j.Graph.Cluster.UID, j.Graph.Cluster.User = testUID, testUser
	j.Graph.Run.Revision = testRevision
	for _, n := range j.Graph.Nodes {
		for _, pod := range n.Pods {
			pod.Image = testImage
		}
	}
	return j
}

// Every format names the cluster, who verified it and with what.
func TestEveryFormatNamesItsOrigin(t *testing.T) {
	for _, name := range []string{"host-healthy-three", "host-stale-flannel-route"} {
		j := identified(judged(t, name))
		for _, format := range Formats() {
			for _, details := range []bool{false, true} {
				var b bytes.Buffer
				if err := Write(&b, format, j, Options{Details: details, Width: 120, Recording: testRecording}); err != nil {
					t.Fatal(err)
				}
				text := strings.Join(strings.Fields(b.String()), " ")
				user := testUser
				if format == "short" {
					user = strings.ReplaceAll(user, " ", "_")
				}
				wanted := []string{testUID, user, testRevision, testDigest}
				if format == "text" && !details {
					wanted = []string{testUID, user, testRevision[:12], testDigest[:len("sha256:")+12]}
				}
				for _, want := range wanted {
					if !strings.Contains(text, want) {
						t.Errorf("%s as %s: %q is missing", name, format, want)
					}
				}
			}
		}
	}
}

// A run of several images names each once, whatever the registry calls it.
func TestImages(t *testing.T) {
	j := judged(t, "host-healthy-three")
	for i, n := range j.Graph.Nodes {
		n.Pods = map[string]*evidence.Pod{
			"pod":   {Image: fmt.Sprintf("mirror-%d.example/wg-probe@%s", i, testDigest)},
			"probe": {Image: testImage},
		}
	}
	if got := images(j.Graph); len(got) != 4 {
		t.Errorf("%q", got)
	}
	if got := digests(images(j.Graph)); len(got) != 1 || got[0] != testDigest {
		t.Errorf("%q", got)
	}
	if got := digest("wg-probe:v1"); got != "wg-probe:v1" {
		t.Errorf("an image without a digest: %q", got)
	}
}
