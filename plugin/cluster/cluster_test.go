package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
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
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func client(api *fake.Clientset) *Client {
	objects := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		customObjects[0].resource: "FelixConfigurationList", customObjects[1].resource: "IPPoolList", ciliumNodes: "CiliumNodeList",
	})
	return New(api, objects, nil, slog.New(slog.DiscardHandler))
}

func named(n *corev1.Node, name string) *corev1.Node { n.Name = name; return n }

func TestSurvey(t *testing.T) {
	api := fake.NewSimpleClientset(
		named(node(func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.36.3+k3s1" }), "b"),
		named(node(func(*corev1.Node) {}), "a"),
		named(node(func(n *corev1.Node) { n.Status.Conditions = nil }), "down"),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-flannel", Name: "kube-flannel-cfg"},
			Data: map[string]string{"net-conf.json": `{"Backend":{"Type":"wireguard"}}`, "cni-conf.json": "{}"}},
	)
	api.PrependReactor("get", "configmaps", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if name := action.(clienttesting.GetAction).GetName(); name == "cilium-config" {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, name, errors.New("no"))
		}
		return false, nil, nil
	})
	survey, err := client(api).Survey(t.Context(), Selection{})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, n := range survey.Nodes {
		order = append(order, n.Name)
	}
	if strings.Join(order, " ") != "a b down" || survey.Nodes[0].Index != 0 || survey.Nodes[1].Index != 1 || survey.Nodes[2].Index != -1 {
		t.Errorf("nodes %+v", survey.Nodes)
	}
	if survey.Cluster.Distribution != "k3s" {
		t.Errorf("distribution %q", survey.Cluster.Distribution)
	}
	conf := survey.Cluster.Objects["ConfigMap/kube-flannel/kube-flannel-cfg"]
	if len(conf) != 1 || !strings.Contains(conf["net-conf.json"], "wireguard") {
		t.Errorf("objects %v", survey.Cluster.Objects)
	}
	if len(survey.Problems) != 1 || survey.Problems[0].Class != evidence.ProblemPermission || survey.Problems[0].On != "kube-system/cilium-config" {
		t.Errorf("problems %+v", survey.Problems)
	}

	var unknown *UnknownNodes
	if _, err := client(api).Survey(t.Context(), Selection{Names: []string{"a", "z"}}); !errors.As(err, &unknown) || unknown.Names[0] != "z" {
		t.Errorf("err = %v", err)
	}
}

// What is not permitted is listed at once, and nothing is created.
func TestPreflightListsAllThatIsMissing(t *testing.T) {
	api := fake.NewSimpleClientset()
	api.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		about := review.Spec.ResourceAttributes
		review.Status.Allowed = about.Resource != "namespaces" && about.Resource != "networkpolicies" && about.Subresource != "exec"
		return true, review, nil
	})
	run := manifests.Run{ID: "abc234", Image: "i"}
	var missing *MissingAccess
	if err := client(api).Preflight(t.Context(), run, nil); !errors.As(err, &missing) {
		t.Fatalf("err = %v", err)
	}
	if got := strings.Join(missing.What, ", "); got != "create namespaces, delete namespaces, create networkpolicies.networking.k8s.io, create pods/exec" {
		t.Errorf("missing %s", got)
	}
	// In a namespace that is there, none is created.
	run.Namespace = "mine"
	if err := client(api).Preflight(t.Context(), run, nil); !errors.As(err, &missing) || strings.Join(missing.What, ", ") != "create pods/exec" {
		t.Errorf("err = %v", err)
	}
	for _, action := range api.Actions() {
		if action.GetVerb() == "create" && action.GetResource().Resource != "selfsubjectaccessreviews" {
			t.Errorf("created %s", action.GetResource().Resource)
		}
	}
}

// A server that was there and is away is waited for; one that never was is not.
func TestCallWaitsOnlyForAServerThatWasThere(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	c := client(fake.NewSimpleClientset())
	calls := 0
	away := func(context.Context) error {
		if calls++; calls < 3 {
			return refused
		}
		return nil
	}
	var unreachable *Unreachable
	if err := c.call(t.Context(), "asking", away); !errors.As(err, &unreachable) || calls != 1 {
		t.Errorf("err = %v after %d calls", err, calls)
	}
	c.reached.Store(true)
	if err := c.call(t.Context(), "asking", away); err != nil || calls != 3 {
		t.Errorf("err = %v after %d calls", err, calls)
	}
	if err := c.callFor(t.Context(), 50*time.Millisecond, "asking", func(context.Context) error { return refused }); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("err = %v", err)
	}
	// An answer is not asked for twice.
	calls = 0
	no := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "p", errors.New("no"))
	if err := c.call(t.Context(), "asking", func(context.Context) error { calls++; return no }); !apierrors.IsForbidden(err) || calls != 1 {
		t.Errorf("err = %v after %d calls", err, calls)
	}
}

// A pod that becomes Ready after it was given up counts all the same.
func TestLateReady(t *testing.T) {
	api := fake.NewSimpleClientset()
	counted(api)
	c := client(api)
	p, err := c.Open(t.Context(), manifests.Run{ID: "abc234", Image: "i", Lifetime: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Leave()
	if err := p.Add(t.Context(), []manifests.Placing{{Role: "pod", Node: "a"}}); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "wg-abc234-pod-0-abcde", Namespace: "kubectl-wg-abc234-pods"}}
	p.seePod(pod, false)
	p.giveUp(errors.New("over"))
	if problems := p.Problems(); len(problems) != 1 || problems[0].Class != evidence.ProblemTimeout || problems[0].On != "a" ||
		!strings.Contains(problems[0].Text, "not scheduled") {
		t.Errorf("problems %+v", problems)
	}
	pod = pod.DeepCopy()
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	p.seePod(pod, false)
	greeted := 0
	p.Await(t.Context(), func(int, int) {}, func(evidence.Pod) { greeted++ })
	if len(p.Problems()) != 0 || greeted != 1 {
		t.Errorf("problems %+v, greeted %d", p.Problems(), greeted)
	}
}

func TestRemoval(t *testing.T) {
	label := map[string]string{manifests.LabelManagedBy: manifests.ManagedBy, manifests.LabelRun: "abc234"}
	other := map[string]string{manifests.LabelManagedBy: "someone", manifests.LabelRun: "abc234"}
	job := func(namespace, run string, labels map[string]string, done int32) *batchv1.Job {
		all := map[string]string{}
		for k, v := range labels {
			all[k] = v
		}
		all[manifests.LabelRun] = run
		return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "wg-" + run, Labels: all}, Status: batchv1.JobStatus{Succeeded: done}}
	}
	api := fake.NewSimpleClientset(
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kubectl-wg-abc234", Labels: label}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "production", Labels: label}}, // the label alone does not make it ours
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kubectl-wg-xyz", Labels: other}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kubectl-wg-abc234-pods", Labels: label}},
		job("kubectl-wg-abc234", "abc234", label, 0), job("kubectl-wg-abc234-pods", "abc234", label, 1), job("mine", "def567", label, 1), job("mine", "ghj678", other, 0),
	)
	c := client(api)
	leftovers, err := c.Leftovers(t.Context(), "")
	if err != nil || len(leftovers) != 2 {
		t.Fatalf("%+v, %v", leftovers, err)
	}
	if l := leftovers[0]; l.What() != "namespaces kubectl-wg-abc234 and kubectl-wg-abc234-pods" || !l.Own || l.Running != 1 || l.Jobs != 2 {
		t.Errorf("%+v", l)
	}
	if l := leftovers[1]; l.Namespaces[0] != "mine" || l.Own || l.Running != 0 {
		t.Errorf("%+v", l)
	}
	if in, err := c.Leftovers(t.Context(), "mine"); err != nil || len(in) != 1 || in[0].Run != "def567" {
		t.Errorf("in one namespace: %+v, %v", in, err)
	}
	if err := c.RemoveLeftover(t.Context(), leftovers[0]); err != nil {
		t.Error(err)
	}
	for _, name := range leftovers[0].Namespaces {
		if _, err := api.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.remove(t.Context(), leftovers[0]); err != nil {
		t.Errorf("removing it twice: %v", err)
	}
	if _, err := api.CoreV1().Namespaces().Get(t.Context(), "production", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

// scripted answers each request with a piece of text.
type scripted func(stdin io.Reader, stdout io.Writer)

func (s scripted) Exec(ctx context.Context, _, _ string, _ []string, stdin io.Reader, stdout, stderr io.Writer) error {
	done := make(chan struct{})
	go func() { defer close(done); s(stdin, stdout) }()
	select {
	case <-done:
		io.WriteString(stderr, "last words\n")
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestSessionBreaks(t *testing.T) {
	for name, test := range map[string]struct {
		agent scripted
		want  string
	}{
		"ends":      {func(io.Reader, io.Writer) {}, "last words"},
		"nonsense":  {func(_ io.Reader, out io.Writer) { io.WriteString(out, "Segmentation fault\n") }, "damaged evidence"},
		"long line": {func(_ io.Reader, out io.Writer) { io.WriteString(out, strings.Repeat("x", 20000)) }, "longer than"},
		"other schema": {func(_ io.Reader, out io.Writer) {
			io.WriteString(out, `{"seq":1,"hello":{"schema":"wg.evidence/v2","role":"probe"}}`+"\n")
		}, "update this side"},
		"goodbye": {func(_ io.Reader, out io.Writer) { io.WriteString(out, `{"seq":1,"bye":{"messages":1}}`+"\n") }, "too early"},
		"flood": {func(_ io.Reader, out io.Writer) {
			for range 100 {
				io.WriteString(out, `{"seq":1,"ready":{"request":9,"what":"x"}}`+"\n")
			}
		}, "nobody asked"},
		"silent": {func(in io.Reader, _ io.Writer) { io.Copy(io.Discard, in) }, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &Placement{client: &Client{exec: test.agent, log: slog.New(slog.DiscardHandler)}}
			var delivered atomic.Int32
			s := p.Session(t.Context(), "pod", func(*evidence.Message) { delivered.Add(1) })
			ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, errors.New("no answer in time"))
			defer cancel()
			ask := func() error {
				if err := s.Send(ctx, evidence.Request{Read: &evidence.ReadRequest{}}); err != nil {
					return err
				}
				_, err := s.Answer(ctx)
				return err
			}
			err := ask()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("err = %v", err)
			}
			if ask() == nil {
				t.Error("a broken session answered")
			}
			s.Close()
		})
	}
}

// counted lets an API count quotas, as the controller for them does.
func counted(api *fake.Clientset) {
	api.PrependReactor("create", "resourcequotas", func(action clienttesting.Action) (bool, runtime.Object, error) {
		quota := action.(clienttesting.CreateAction).GetObject().(*corev1.ResourceQuota)
		quota.Status.Hard = quota.Spec.Hard
		return false, nil, nil
	})
}

// A quota is there and counted before the first Job is; one that nothing counts
// would keep every pod out, so it is removed.
func TestQuotasComeFirst(t *testing.T) {
	for _, counts := range []bool{true, false} {
		t.Run(fmt.Sprint(counts), func(t *testing.T) {
			t.Parallel()
			api := fake.NewSimpleClientset()
			if counts {
				counted(api)
			}
			run := manifests.Run{ID: "abc234", Image: "i", Lifetime: time.Minute, Nodes: 2, NewPods: 1}
			p, err := client(api).Open(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Leave()
			left, err := api.CoreV1().ResourceQuotas(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{})
			if err != nil || (len(left.Items) == 2) != counts {
				t.Errorf("%d quotas, %v", len(left.Items), err)
			}
			policies, err := api.NetworkingV1().NetworkPolicies("kubectl-wg-abc234-pods").List(t.Context(), metav1.ListOptions{})
			if err != nil || len(policies.Items) != 1 {
				t.Errorf("%d policies, %v", len(policies.Items), err)
			}
		})
	}
}

// In a namespace that is not the run's own nothing but Jobs and a Secret is made.
func TestNamespaceThatExists(t *testing.T) {
	api := fake.NewSimpleClientset()
	p, err := client(api).Open(t.Context(), manifests.Run{ID: "abc234", Namespace: "mine", Image: "i", Lifetime: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Leave()
	if err := p.Add(t.Context(), []manifests.Placing{{Role: "probe", Node: "a"}, {Role: "pod", Node: "a"}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Provide(t.Context(), map[string]string{"MARK": "m"}); err != nil {
		t.Fatal(err)
	}
	made := map[string]int{}
	for _, action := range api.Actions() {
		if action.GetVerb() == "create" {
			made[action.GetNamespace()+"/"+action.GetResource().Resource]++
		}
	}
	if len(made) != 2 || made["mine/jobs"] != 2 || made["mine/secrets"] != 1 {
		t.Errorf("made %v", made)
	}
	secret, err := api.CoreV1().Secrets("mine").Get(t.Context(), "wg-abc234", metav1.GetOptions{})
	if err != nil || len(secret.OwnerReferences) != 1 || secret.OwnerReferences[0].Name != "wg-abc234-pod-0" {
		t.Errorf("%+v, %v", secret, err)
	}
}

// What may not be listed is unknown: the error says what, and a run whose Jobs
// cannot be seen is not taken for one that has ended.
func TestLeftoversThatCannotBeSeen(t *testing.T) {
	label := map[string]string{manifests.LabelManagedBy: manifests.ManagedBy, manifests.LabelRun: "abc234"}
	for name, test := range map[string]struct {
		forbidden []string // resource in namespace
		what      string
		found     int
		unknown   bool
	}{
		"nothing":          {nil, "", 1, false},
		"Jobs everywhere":  {[]string{"jobs in "}, "Jobs in all namespaces", 1, false},
		"Jobs":             {[]string{"jobs in ", "jobs in kubectl-wg-abc234"}, "Jobs in all namespaces", 1, true},
		"namespaces":       {[]string{"namespaces in "}, "namespaces", 0, false},
		"namespaces, Jobs": {[]string{"namespaces in ", "jobs in "}, "namespaces, nor Jobs in all namespaces", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			api := fake.NewSimpleClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kubectl-wg-abc234", Labels: label}})
			api.PrependReactor("list", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
				what := action.GetResource().Resource + " in " + action.GetNamespace()
				if slices.Contains(test.forbidden, what) {
					return true, nil, apierrors.NewForbidden(action.GetResource().GroupResource(), "", errors.New("no"))
				}
				return false, nil, nil
			})
			leftovers, err := client(api).Leftovers(t.Context(), "")
			var unseen *Unseen
			errors.As(err, &unseen)
			if (unseen == nil) != (test.what == "") || unseen != nil && !strings.Contains(err.Error(), "not list "+test.what+":") {
				t.Errorf("err = %v", err)
			}
			if len(leftovers) != test.found || test.found > 0 && leftovers[0].Unknown != test.unknown {
				t.Errorf("%+v", leftovers)
			}
		})
	}
}
