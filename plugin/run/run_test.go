package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// outcome is what one run gave.
type outcome struct {
	recording *recording.Recording
	judgement *check.Judgement
	err       error
}

func (w *world) verify(ctx context.Context, change func(*Options)) outcome {
	var out outcome
	options := Options{
		Cluster: w.client, Objects: manifests.Run{ID: "test22", Image: "probe:test"}, Timeout: 20 * time.Second,
		Progress: &quiet{}, Log: slog.New(slog.DiscardHandler), Version: "test",
	}
	if change != nil {
		change(&options)
	}
	r, failed := Open(ctx, options)
	if failed == nil {
		failed = r.Collect(ctx)
	}
	recorded := r.Evidence()
	var file bytes.Buffer
	_, err := recorded.WriteTo(&file)
	if err == nil {
		out.recording, err = recording.Read(&file)
	}
	failed = errors.Join(failed, err)
	left := r.Close(ctx)
	if failed == nil {
		out.judgement, failed = r.Judge(ctx, recorded)
	}
	out.err = errors.Join(failed, left)
	return out
}

// nothingLeft fails the test if the run left an object or a goroutine.
func (w *world) nothingLeft(t *testing.T, before int) {
	t.Helper()
	namespaces, _ := w.api.CoreV1().Namespaces().List(context.Background(), metav1.ListOptions{})
	for _, n := range namespaces.Items {
		t.Errorf("namespace %s is left", n.Name)
	}
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}

func TestVerifyHearsEveryAgent(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	before := runtime.NumGoroutine()
	out := w.verify(t.Context(), nil)
	if out.err != nil {
		t.Fatal(out.err)
	}
	w.nothingLeft(t, before)
	for _, stream := range []string{"plugin", "probe/a", "probe/b", "probe/c", "pod/a", "pod/b", "pod/c"} {
		if gap := out.recording.Gap(stream); gap != "" {
			t.Errorf("%s: %s", stream, gap)
		}
	}
	// Agents that have seen nothing prove nothing.
	if about := out.judgement.Graph.Run; about.Nodes != 3 || about.Ended < about.Started {
		t.Errorf("the run says that it was on %d nodes, from %d to %d", about.Nodes, about.Started, about.Ended)
	}
	if out.judgement.Verdict == verdict.Passed {
		t.Error("a run without evidence passed")
	}
	if w.sessions != 6 {
		t.Errorf("%d sessions, want 6", w.sessions)
	}
}

// An agent may break at every step; the others go on, and the run is not passed.
func TestVerifyWithoutOneAgent(t *testing.T) {
	for step := 1; step <= 8; step++ {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			w := newWorld(t, "a", "b")
			w.agent = func(ctx context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
				if role != "probe" || node != "b" {
					return honest(ctx, role, node, stdin, stdout)
				}
				return honest(ctx, role, node, &shortened{stdin, step}, stdout)
			}
			before := runtime.NumGoroutine()
			out := w.verify(t.Context(), nil)
			if out.err != nil {
				t.Fatal(out.err)
			}
			w.nothingLeft(t, before)
			if gap := out.recording.Gap("probe/a"); gap != "" {
				t.Errorf("probe/a: %s", gap)
			}
			if out.judgement.Verdict == verdict.Passed {
				t.Error("passed")
			}
			lost := 0
			for _, m := range out.recording.Messages("plugin") {
				if m.Problem != nil && m.Problem.Class == evidence.ProblemLost && m.Problem.On == "b" {
					lost++
				}
			}
			if lost != 1 {
				t.Errorf("the loss is recorded %d times", lost)
			}
		})
	}
}

// shortened ends after some requests, as a broken connection does.
type shortened struct {
	io.Reader
	left int
}

func (s *shortened) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	s.left--
	return s.Reader.Read(p)
}

// A signal may come in every phase; nothing is left then, of objects or goroutines.
func TestVerifyInterrupted(t *testing.T) {
	for _, at := range []string{
		"reading cluster state", "checking permissions", "starting probe pods", "testing",
		"reading the nodes", "starting the captures", "sending control packets", "sending test packets", "stopping captures", "stopping probes",
	} {
		t.Run(at, func(t *testing.T) {
			w := newWorld(t, "a", "b")
			before := runtime.NumGoroutine()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			signal := errors.New("interrupted")
			out := w.verify(ctx, func(o *Options) {
				o.Progress = &quiet{on: func(phase, detail string) {
					if phase == at || detail == at {
						cancel(signal)
					}
				}}
			})
			var failure *Failure
			if !errors.Is(out.err, signal) || !errors.As(out.err, &failure) {
				t.Fatalf("err = %v", out.err)
			}
			if out.judgement != nil {
				t.Error("an interrupted run was judged")
			}
			if out.recording == nil || out.recording.Gap("plugin") != "" {
				t.Error("the evidence was not kept")
			}
			w.nothingLeft(t, before)
		})
	}
}

// A pod that cannot start is a problem of its node, said at once and by name.
func TestVerifyWithoutOnePod(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.pod = func(job *batchv1.Job, pod *corev1.Pod) {
		if strings.HasSuffix(job.Name, "pod-1") {
			pod.Status = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{
				{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}},
			}}
		}
	}
	began := time.Now()
	out := w.verify(t.Context(), nil)
	if out.err != nil {
		t.Fatal(out.err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s to notice", took)
	}
	if out.judgement.Verdict != verdict.Undecided {
		t.Errorf("verdict %s", out.judgement.Verdict)
	}
	var problem *evidence.Problem
	for _, m := range out.recording.Messages("plugin") {
		if m.Problem != nil && m.Problem.On == "b" {
			problem = m.Problem
		}
	}
	if problem == nil || problem.Class != evidence.ProblemImage || !strings.Contains(problem.Text, "ImagePullBackOff: no such image") {
		t.Errorf("problem %+v", problem)
	}
}

// Without any probe there is nothing to judge.
func TestVerifyWithoutAnyProbe(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.pod = func(_ *batchv1.Job, pod *corev1.Pod) {
		pod.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "too many pods"},
		}}
	}
	before := runtime.NumGoroutine()
	out := w.verify(t.Context(), nil)
	var none *NotPlaced
	if !errors.As(out.err, &none) || !strings.Contains(out.err.Error(), "a, b: FailedScheduling: too many pods") {
		t.Fatalf("err = %v", out.err)
	}
	w.nothingLeft(t, before)
}

// A node that runs WireGuard in userspace is read in a second pass, and what the
// first gave counts under another name.
func TestSecondPass(t *testing.T) {
	w := newWorld(t, "a", "b")
	mounts := map[string]bool{}
	w.pod = func(job *batchv1.Job, _ *corev1.Pod) {
		for _, volume := range job.Spec.Template.Spec.Volumes {
			mounts[job.Name+" "+volume.HostPath.Path] = true
		}
	}
	w.agent = func(ctx context.Context, role, node string, stdin io.Reader, stdout io.Writer) error {
		out := evidence.NewWriter(stdout)
		return evidence.ReadRequests(stdin, func(r *evidence.Request) error {
			switch {
			case r.Start != nil:
				return out.Write(evidence.Message{Hello: &evidence.Hello{Schema: evidence.Schema, Role: role, Node: node}})
			case r.End != nil:
				return out.Bye()
			case r.Read != nil && r.Read.Reading == 0 && node == "a":
				out.Write(evidence.Message{Link: &evidence.Link{Name: "wg0", Kind: "tun"}})
				out.Write(evidence.Message{Socket: &evidence.Socket{Path: "/var/run/wireguard/wg0.sock", Device: "wg0"}})
			case r.Read != nil && r.Read.Reading == 0: // no folder but WireGuard's own is ever shared
				out.Write(evidence.Message{Link: &evidence.Link{Name: "wg0", Kind: "tun"}})
				out.Write(evidence.Message{Socket: &evidence.Socket{Path: "/etc/kubernetes/wg0.sock", Device: "wg0"}})
			}
			return out.Write(evidence.Message{Ready: &evidence.Ready{Request: r.ID}})
		})
	}
	before := runtime.NumGoroutine()
	out := w.verify(t.Context(), nil)
	if out.err != nil {
		t.Fatal(out.err)
	}
	w.nothingLeft(t, before)
	if len(mounts) != 1 || !mounts["wg-test22-probe-0-2 /var/run/wireguard"] {
		t.Errorf("mounts %v", mounts)
	}
	for _, stream := range []string{"look/a", "probe/a", "probe/b"} {
		if gap := out.recording.Gap(stream); gap != "" {
			t.Errorf("%s: %s", stream, gap)
		}
	}
	if got := out.recording.Streams(); strings.Join(got, " ") != "look/a plugin pod/a pod/b probe/a probe/b" {
		t.Errorf("streams %v", got)
	}
	for _, m := range out.recording.Messages("plugin") {
		if m.Pod != nil && m.Pod.Role == "probe" && m.Pod.Node == "a" && m.Pod.Pass != 2 {
			t.Errorf("the probe on a is %+v", m.Pod)
		}
	}
}
