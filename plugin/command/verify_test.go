package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// trial is a verification of a cluster without machines, and what it did.
//
//	verifyCluster ──fake API──▶ nodes a, b; a Job's pod is Ready at once
//	      └──────────pipes────▶ agents that answer everything and have seen nothing
type trial struct {
	api         *fake.Clientset
	root        *root
	flags       verifyFlags
	out, errs   bytes.Buffer
	kept        bool // the evidence was there when the removal began
	leftBehind  string
	refuseJobs  bool
	refuseToEnd bool   // no namespace may be removed
	interruptAt string // the resource at whose creation signal comes
	signal      os.Signal
	interrupt   func(resource string)
	results     *results
	applied     []byte // the last object that was applied, as JSON
}

func newTrial(t *testing.T) *trial {
	tr := &trial{}
	var nodes []runtime.Object
	for i, name := range []string{"a", "b"} {
		nodes = append(nodes, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       corev1.NodeSpec{PodCIDRs: []string{fmt.Sprintf("10.42.%d.0/24", i)}},
			Status: corev1.NodeStatus{
				NodeInfo:   corev1.NodeSystemInfo{OperatingSystem: "linux"},
				Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			},
		})
	}
	tr.api = fake.NewSimpleClientset(nodes...)
	tr.api.PrependReactor("create", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		create := action.(clienttesting.CreateActionImpl)
		if tr.interrupt != nil && len(create.CreateOptions.DryRun) == 0 {
			tr.interrupt(action.GetResource().Resource)
		}
		switch object := create.Object.(type) {
		case *authorizationv1.SelfSubjectAccessReview:
			object.Status.Allowed = true
			return true, object, nil
		case *batchv1.Job:
			if len(create.CreateOptions.DryRun) > 0 {
				break
			}
			if tr.refuseJobs {
				return true, nil, apierrors.NewForbidden(action.GetResource().GroupResource(), object.Name, errors.New("no"))
			}
			tr.start(t, object)
		case *corev1.ResourceQuota: // as the controller that counts them
			object.Status.Hard = object.Spec.Hard
		}
		return len(create.CreateOptions.DryRun) > 0, create.Object, nil
	})
	tr.api.PrependReactor("delete", "namespaces", func(action clienttesting.Action) (bool, runtime.Object, error) {
		_, err := os.Stat(tr.flags.record)
		tr.kept = err == nil
		if left := tr.root.interrupts.left.Load(); left != nil {
			tr.leftBehind = *left
		}
		if tr.refuseToEnd {
			return true, nil, apierrors.NewForbidden(action.GetResource().GroupResource(), "", errors.New("no"))
		}
		return false, nil, nil
	})
	tr.root = &root{streams: Streams{Out: &tr.out, Err: &tr.errs}, interrupts: &Interrupts{}}
	tr.flags = verifyFlags{failOn: "fail", record: filepath.Join(t.TempDir(), "evidence")}
	return tr
}

// asText writes a report as text.
func asText(w io.Writer, j *check.Judgement) error {
	return report.Write(w, "text", j, report.Options{})
}

// start makes the pod of a Job. Reactors hold the fake's lock, so it speaks to
// the tracker beneath it.
func (tr *trial) start(t *testing.T, job *batchv1.Job) {
	index, _ := strconv.Atoi(strings.Split(job.Name, "-")[3]) // wg-RUN-ROLE-INDEX
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: job.Name + "-abcde", Namespace: job.Namespace, Labels: job.Spec.Template.Labels},
		Spec:       corev1.PodSpec{NodeName: job.Annotations[manifests.AnnotationNode]},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			PodIPs:     []corev1.PodIP{{IP: fmt.Sprintf("10.42.%d.2", index)}},
		},
	}
	err := tr.api.Tracker().Create(corev1.SchemeGroupVersion.WithResource("pods"), pod, job.Namespace)
	if err != nil {
		t.Error(err)
	}
}

// Exec runs an agent in this process.
func (tr *trial) Exec(_ context.Context, _, _ string, _ []string, stdin io.Reader, stdout, _ io.Writer) error {
	out := evidence.NewWriter(stdout)
	return evidence.ReadRequests(stdin, func(r *evidence.Request) error {
		switch {
		case r.Start != nil:
			return out.Write(evidence.Message{Hello: &evidence.Hello{
				Schema: evidence.Schema, Role: r.Start.Role, Node: r.Start.Node,
			}})
		case r.End != nil:
			return out.Bye()
		}
		return out.Write(evidence.Message{Ready: &evidence.Ready{Request: r.ID}})
	})
}

// client is one for the trial's cluster.
func (tr *trial) client() *cluster.Client {
	objects := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		{Group: "crd.projectcalico.org", Version: "v1", Resource: "felixconfigurations"}: "FelixConfigurationList",
		{Group: "crd.projectcalico.org", Version: "v1", Resource: "ippools"}:             "IPPoolList",
		{Group: "crd.projectcalico.org", Version: "v1", Resource: "blockaffinities"}:     "BlockAffinityList",
		{Group: "cilium.io", Version: "v2", Resource: "ciliumnodes"}:                     "CiliumNodeList",
	})
	objects.PrependReactor("patch", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		tr.applied = action.(clienttesting.PatchAction).GetPatch()
		return true, nil, nil
	})
	return cluster.New(tr.api, objects, tr, slog.New(slog.DiscardHandler))
}

// verify returns the exit code.
func (tr *trial) verify(t *testing.T) int {
	log := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	if at := tr.interruptAt; at != "" {
		tr.interrupt = func(resource string) {
			if resource == at {
				cancel(&Interrupted{tr.signal})
			}
		}
	}
	err := tr.results.failed(ctx, tr.root.verifyCluster(ctx, tr.flags, run.Options{
		Cluster: tr.client(),
		Objects: manifests.Run{ID: "test22", Image: "probe:test"}, Timeout: 20 * time.Second, Log: log,
	}, asText, tr.results))
	return fail(&tr.errs, err)
}

// phases returns those that were shown, in order.
func (tr *trial) phases() (shown []string) {
	known := []string{
		"reading cluster state", "checking permissions", "starting probe pods", "testing", "cleaning up",
		"judging",
	}
	for line := range strings.Lines(tr.errs.String()) {
		if line = strings.TrimSpace(line); slices.Contains(known, line) {
			shown = append(shown, line)
		}
	}
	return shown
}

// The evidence is kept before anything is removed, and judged after it; the exit
// code is the verdict's.
func TestVerifyInOrder(t *testing.T) {
	tr := newTrial(t)
	code := tr.verify(t)
	if code != exitInconclusive || !strings.Contains(tr.out.String(), "INCONCLUSIVE") {
		t.Errorf("exit %d\n%s%s", code, &tr.out, &tr.errs)
	}
	if !tr.kept {
		t.Error("the evidence was not kept before the removal")
	}
	if phases := tr.phases(); len(phases) != 6 || phases[4] != "cleaning up" || phases[5] != "judging" {
		t.Errorf("phases %q", phases)
	}
	if tr.leftBehind != "kubectl wg cleanup test22" || *tr.root.interrupts.left.Load() != "" {
		t.Errorf("an interrupt says %q during the removal, %q after it", tr.leftBehind, *tr.root.interrupts.left.Load())
	}
	replayed, _, stderr := main(t, "replay", tr.flags.record)
	if replayed != code {
		t.Errorf("the recording is judged %d, the run %d\n%s", replayed, code, stderr)
	}
}

// What could not be removed is an error with its hint, and the verdict stands.
func TestVerifyThatLeavesSomething(t *testing.T) {
	tr := newTrial(t)
	tr.refuseToEnd = true
	code := tr.verify(t)
	if code != exitInconclusive || !strings.Contains(tr.out.String(), "INCONCLUSIVE") {
		t.Errorf("exit %d\n%s", code, &tr.out)
	}
	if !strings.Contains(tr.errs.String(), "hint: kubectl wg cleanup test22") {
		t.Errorf("%s", &tr.errs)
	}
}

// A run that could not be made is not judged; its evidence is kept, and what it
// made is removed.
func TestVerifyThatFails(t *testing.T) {
	tr := newTrial(t)
	tr.refuseJobs = true
	code := tr.verify(t)
	if code != exitCouldNotRun || tr.out.Len() > 0 || !strings.Contains(tr.errs.String(), "no probe became Ready") {
		t.Errorf("exit %d\n%s%s", code, &tr.out, &tr.errs)
	}
	if phases := tr.phases(); !tr.kept || phases[len(phases)-1] != "cleaning up" {
		t.Errorf("kept %t, phases %q", tr.kept, phases)
	}
}

// The exit code is the verdict's, whatever else goes wrong after it; but an error
// is never exit code 0.
func TestEnds(t *testing.T) {
	wrong := errors.New("the report cannot be written")
	for _, test := range []struct {
		code int
		err  error
		want int
	}{
		{exitVerified, nil, exitVerified}, {exitVerified, wrong, exitCouldNotRun},
		{exitNotVerified, nil, exitNotVerified}, {exitNotVerified, wrong, exitNotVerified},
		{exitInconclusive, wrong, exitInconclusive},
	} {
		var w bytes.Buffer
		got := fail(&w, ends(test.code, test.err))
		if got != test.want || (w.Len() > 0) != (test.err != nil) {
			t.Errorf("exit %d after the verdict %d and %v: %q", got, test.code, test.err, w.String())
		}
	}
}

// A run that a signal ends says when, and what became of what it created; its
// exit code is the shell's.
func TestVerifyInterrupted(t *testing.T) {
	for name, test := range map[string]struct {
		at          string
		signal      os.Signal
		refuseToEnd bool
		code        int
		want        string
	}{
		"before":   {"selfsubjectaccessreviews", os.Interrupt, false, 130, "error: interrupted while checking permissions; nothing was created"},
		"starting": {"jobs", os.Interrupt, false, 130, "error: interrupted while starting probe pods; what the run created was removed"},
		"SIGTERM":  {"jobs", syscall.SIGTERM, false, 143, "error: interrupted (terminated) while starting probe pods; what the run created was removed"},
		"left":     {"jobs", syscall.SIGHUP, true, 129, "not all that the run created could be removed"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t)
			tr.interruptAt, tr.signal, tr.refuseToEnd = test.at, test.signal, test.refuseToEnd
			code := tr.verify(t)
			if code != test.code || tr.out.Len() > 0 || !strings.Contains(tr.errs.String(), test.want) {
				t.Errorf("exit %d\n%s%s", code, &tr.out, &tr.errs)
			}
			if test.refuseToEnd != strings.Contains(tr.errs.String(), "hint: kubectl wg cleanup test22") {
				t.Errorf("%s", &tr.errs)
			}
		})
	}
}
