package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

const (
	// As containerd says it; the source port differs each time, so each is an event of its own.
	noName  = `failed to resolve reference "r.example/x:1": failed to do request: Head "https://r.example/v2/": dial tcp: lookup r.example on 10.0.0.10:53: read udp 10.0.0.1:%d->10.0.0.10:53: i/o timeout`
	noImage = `failed to resolve reference "r.example/x:1": r.example/x:1: not found`
)

func pullEvent(job string, n int, why string) *corev1.Event {
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{UID: types.UID(fmt.Sprint(n))}, Type: corev1.EventTypeWarning, Reason: "Failed",
		Message: `Failed to pull image "r.example/x:1": ` + why,
	}
	event.InvolvedObject.Kind, event.InvolvedObject.Name = "Pod", job+"-abcde"
	return event
}

// An image that is not there ends the wait at once; a registry that is not
// reached, when the second try fails too. Meanwhile the reason is shown.
func TestPullFailures(t *testing.T) {
	for name, test := range map[string]struct {
		see   func(p *Placement)
		fails bool
		shown string
	}{
		"no image": {func(p *Placement) { p.seeEvent(pullEvent("j", 1, noImage)) }, true,
			"a: ErrImagePull: failed to resolve"},
		"no name, once": {
			func(p *Placement) { p.seeEvent(pullEvent("j", 1, fmt.Sprintf(noName, 1))) }, false,
			"a: ErrImagePull: failed to resolve",
		},
		"no name, once, reported twice": {func(p *Placement) {
			p.seeEvent(pullEvent("j", 1, fmt.Sprintf(noName, 1)))
			p.seeEvent(pullEvent("j", 1, fmt.Sprintf(noName, 1)))
		}, false, "lookup r.example"},
		"no name, twice": {func(p *Placement) {
			p.seeEvent(pullEvent("j", 1, fmt.Sprintf(noName, 1)))
			p.seeEvent(pullEvent("j", 2, fmt.Sprintf(noName, 2)))
		}, true, "lookup r.example"},
		"no name, as a state": {func(p *Placement) {
			p.seePod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "j-abcde"},
				Status: waiting("ErrImagePull", noName)}, false)
		}, false, "lookup r.example"},
		"no name, as a state, tried again": {func(p *Placement) {
			p.seeEvent(pullEvent("j", 1, fmt.Sprintf(noName, 1)))
			p.seeEvent(pullEvent("j", 2, fmt.Sprintf(noName, 2)))
			p.seePod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "j-abcde"},
				Status: waiting("ImagePullBackOff", noName)}, false)
		}, true, "lookup r.example"},
		"of the node": {func(p *Placement) {
			event := pullEvent("j", 1, "")
			event.Reason = "MissingClusterDNS"
			p.seeEvent(event)
		}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &slot{placing: manifests.Placing{Role: "probe", Node: "a"}}
			p := &Placement{slots: map[string]*slot{"j": s}, changed: make(chan struct{}, 1)}
			test.see(p)
			state, settled := p.waiting()
			if (settled == 1) != test.fails || !strings.Contains(state.String(), test.shown) ||
				test.shown == "" && state.Reason != "" {
				t.Errorf("settled %d, %s", settled, state)
			}
			// Whatever the wait ends by, its hint is about the image.
			p.giveUp(errors.New("timed out after 1m30s of the 2m0s given by --timeout"))
			problem := p.Problems()[0]
			if test.shown != "" &&
				(problem.Class != evidence.ProblemImage || !strings.Contains(problem.Hint, "--image")) {
				t.Errorf("%+v", problem)
			}
			if !test.fails && !strings.HasPrefix(problem.Text, "not Ready, timed out after 1m30s of the 2m0s") {
				t.Error(problem.Text)
			}
		})
	}
}

func TestHintPull(t *testing.T) {
	for why, want := range map[string]string{
		noName: "cannot resolve", noImage: "check --image", "dial tcp 203.0.113.1:443: i/o timeout": "cannot reach",
		"unexpected status code 503 Service Unavailable": "cannot reach", "403 Forbidden": "--image-pull-secret",
	} {
		if got := hintPull(why); !strings.Contains(got, want) {
			t.Errorf("%s: %s", why, got)
		}
	}
}

// The reason that most nodes have is the one that is shown.
func TestWaiting(t *testing.T) {
	p := &Placement{slots: map[string]*slot{}}
	for i := range 5 {
		s := &slot{placing: manifests.Placing{Node: fmt.Sprint("node", i/2)}, note: "one"}
		if i == 4 {
			s.note = "another"
		}
		p.slots[fmt.Sprint(i)] = s
	}
	p.slots["ready"] = &slot{ready: true, note: "of old"}
	if state, _ := p.waiting(); state.String() != "1 of 6 Ready; 2 nodes: one" {
		t.Error(state)
	}
}
