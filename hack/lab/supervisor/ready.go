package supervisor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-wg/kubectl-wg/hack/lab/build"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/node"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/remote"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/state"
	"github.com/kubectl-wg/kubectl-wg/hack/lab/topology"
)

const poll = 50 * time.Millisecond

// checkPod begins the names of the pods that prove the pod network; they are gone when the lab is up.
const checkPod = "lab-check-"

func awaitAPI(ctx context.Context, client kubernetes.Interface) error {
	return await(ctx, func() (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err == nil, nil
	})
}

// awaitNodes reports every node as it becomes Ready.
func (s *supervisor) awaitNodes(ctx context.Context, client kubernetes.Interface, nodes []node.Node) error {
	var ready []string
	if err := await(ctx, func() (bool, error) {
		list, err := client.CoreV1().Nodes().List(ctx, meta.ListOptions{})
		if err != nil {
			return false, nil // the API server may be busy; whoever waits has the last word
		}
		for _, n := range list.Items {
			if isReady(n) && !slices.Contains(ready, n.Name) {
				ready = append(ready, n.Name)
				s.events.say("%s is Ready", n.Name)
			}
		}
		return len(ready) == len(nodes), nil
	}); err != nil {
		return fmt.Errorf("waiting for the nodes: %w", err)
	}
	return nil
}

// isReady asks for what scheduling asks for: the condition, and that no taint is left of the time before it.
func isReady(n core.Node) bool {
	if slices.ContainsFunc(n.Spec.Taints, func(t core.Taint) bool { return strings.HasPrefix(t.Key, "node.kubernetes.io/") }) {
		return false
	}
	return slices.ContainsFunc(n.Status.Conditions, func(c core.NodeCondition) bool {
		return c.Type == core.NodeReady && c.Status == core.ConditionTrue
	})
}

// checkPods starts a pod on every node and has each node's pod network answer all others: Ready alone proves nothing.
func (s *supervisor) checkPods(ctx context.Context, client kubernetes.Interface, nodes []node.Node) error {
	pods := client.CoreV1().Pods("kube-system")
	now := int64(0)
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		for _, n := range nodes {
			_ = pods.Delete(ctx, checkPod+n.Name, meta.DeleteOptions{GracePeriodSeconds: &now}) // `lab down` takes what is left
		}
	}()
	for _, n := range nodes {
		off := false
		pod := &core.Pod{
			ObjectMeta: meta.ObjectMeta{Name: checkPod + n.Name, Labels: map[string]string{"app": "lab-check"}},
			Spec: core.PodSpec{
				NodeName:                      n.Name,
				TerminationGracePeriodSeconds: &now,
				AutomountServiceAccountToken:  &off,
				EnableServiceLinks:            &off,
				Containers: []core.Container{{
					Name: "pod", Image: build.BusyboxImage, ImagePullPolicy: core.PullNever, Command: []string{"sleep", "3600"},
				}},
			},
		}
		// The service account of a namespace comes a moment after it.
		if err := await(ctx, func() (bool, error) {
			_, err := pods.Create(ctx, pod, meta.CreateOptions{})
			if err != nil && strings.Contains(err.Error(), "serviceaccount") {
				return false, nil
			}
			return err == nil, err
		}); err != nil {
			return fmt.Errorf("checking the pod network: creating the pod on %s: %w", n.Name, err)
		}
	}
	addresses := map[string][]string{}
	families := len(s.lab.Families.PodNetworks())
	if err := await(ctx, func() (bool, error) {
		list, err := pods.List(ctx, meta.ListOptions{LabelSelector: "app=lab-check"})
		if err != nil {
			return false, nil
		}
		for _, pod := range list.Items {
			if pod.Status.Phase != core.PodRunning || len(pod.Status.PodIPs) < families {
				continue
			}
			addresses[pod.Spec.NodeName] = nil
			for _, ip := range pod.Status.PodIPs {
				addresses[pod.Spec.NodeName] = append(addresses[pod.Spec.NodeName], ip.IP)
			}
		}
		return len(addresses) == len(nodes), nil
	}); err != nil {
		return fmt.Errorf("checking the pod network: waiting for pods: %w", err)
	}
	s.events.say("a pod runs on every node")
	for _, from := range nodes {
		for _, to := range nodes {
			for _, address := range addresses[to.Name] {
				if err := s.ping(ctx, from.Name, address); err != nil {
					return err
				}
			}
		}
	}
	s.events.say("every node reaches the pods of all others")
	return nil
}

// ping repeats until there is an answer: the first packets may be lost while tunnels are set up.
func (s *supervisor) ping(ctx context.Context, from, address string) error {
	var said strings.Builder
	err := await(ctx, func() (bool, error) {
		said.Reset()
		code, err := Exec(ctx, s.lab, from, []string{"busybox", "ping", "-c", "1", "-W", "1", address}, remote.Streams{Stdout: &said, Stderr: &said})
		return code == 0, err
	})
	if err != nil {
		return fmt.Errorf("checking the pod network: pinging %s from %s: %w\n%s", address, from, err, said.String())
	}
	return nil
}

// Exec runs a command in a node of a running lab; the empty node is node-host's own surroundings.
func Exec(ctx context.Context, lab *state.Lab, nodeName string, argv []string, streams remote.Streams) (int, error) {
	dial, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := topology.Dial(dial, lab.Netns("control"), "tcp", lab.Agent)
	if err != nil {
		return -1, fmt.Errorf("reaching the nodes of lab %s: %w", lab.Name, err)
	}
	return remote.Run(ctx, conn, remote.Request{Token: lab.Token, Node: nodeName, Argv: argv}, streams)
}

func await(ctx context.Context, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(poll):
		}
	}
}

// logs lists the lab's log files, the most recently written last.
func (s *supervisor) logs() []string {
	files, err := filepath.Glob(s.lab.Path("logs", "*.log"))
	if err != nil {
		return nil
	}
	written := func(path string) time.Time {
		info, err := os.Stat(path)
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	slices.SortFunc(files, func(a, b string) int { return written(a).Compare(written(b)) })
	return files
}
