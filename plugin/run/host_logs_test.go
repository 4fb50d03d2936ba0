package run

import (
	"context"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// tailing answers every request for logs by a line.
func tailing(_ context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
	out := evidence.NewWriter(stdout)
	return evidence.ReadRequests(stdin, func(r *evidence.Request) error {
		switch {
		case r.Start != nil:
			return out.Write(evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: role, Node: node}})
		case r.HostLogs != nil:
			out.Write(evidence.Message{HostLine: &evidence.HostLine{Source: "k3s", Text: node + " " + r.HostLogs.Match}})
			out.Write(evidence.Message{HostLogs: &evidence.HostLogs{}})
		case r.End != nil:
			return out.Bye()
		}
		return out.Write(evidence.Message{Ready: &evidence.Ready{Request: r.ID}})
	})
}

// Each node has one pod that reads its logs, and one more where the first could not
// start since the host has no /run/log.
//
//	a: systemd         pod with /var/log and /run/log
//	b: without         that pod fails ─▶ pod with /var/log
func TestHostLogs(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.agent = tailing
	w.pod = func(job *batchv1.Job, pod *corev1.Pod) {
		if pod.Spec.NodeName != "b" || len(job.Spec.Template.Spec.Volumes) < 2 {
			return
		}
		pod.Status = corev1.PodStatus{Phase: corev1.PodPending}
		event := &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Name: "no-folder", Namespace: job.Namespace, ResourceVersion: "1"},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: pod.Name},
			Type:           corev1.EventTypeWarning, Reason: "FailedMount",
			Message: `MountVolume.SetUp failed for volume "run-log" : hostPath type check failed: /run/log is not a directory`,
		}
		if err := w.api.Tracker().Create(corev1.SchemeGroupVersion.WithResource("events"), event, job.Namespace); err != nil {
			t.Error(err)
		}
	}
	before := runtime.NumGoroutine()
	observation, err := w.observe(context.Background(), RoleLogs)
	if err != nil {
		t.Fatal(err)
	}
	if len(observation.Agents(RoleLogs)) != 2 || w.sessions != 2 {
		t.Errorf("%d agents, %d sessions", len(observation.Agents(RoleLogs)), w.sessions)
	}
	var mu sync.Mutex
	var heard []string
	err = observation.HostLogs(context.Background(), evidence.HostLogsRequest{Match: "wireguard"}, func(a Agent, m *evidence.Message) bool {
		mu.Lock()
		defer mu.Unlock()
		if m.HostLine != nil {
			heard = append(heard, a.Node.Name+": "+m.HostLine.Text)
		}
		return false
	})
	if slices.Sort(heard); err != nil || strings.Join(heard, ", ") != "a: a wireguard, b: b wireguard" {
		t.Errorf("%q: %v", heard, err)
	}
	for _, node := range []string{"a", "b"} {
		if err := observation.Lost(RoleLogs, node); err != nil {
			t.Error(err)
		}
	}
	if err := observation.Close(context.Background()); err != nil {
		t.Error(err)
	}
	w.nothingLeft(t, before)
}
