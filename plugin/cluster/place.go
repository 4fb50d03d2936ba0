package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Placement is what a run has created in the cluster. It follows the run's pods
// until they are removed.
type Placement struct {
	client    *Client
	run       manifests.Run
	stop      context.CancelFunc
	following sync.WaitGroup

	mu      sync.Mutex
	owner   *batchv1.Job     // of the run's Secret: one of the test pods' Jobs
	slots   map[string]*slot // by the Job's name
	changed chan struct{}    // holds one value when a slot has changed
}

// Open creates the run's namespaces with what protects them, and begins to
// follow what happens in them. The placement is to be removed even if Open
// returns an error.
func (c *Client) Open(ctx context.Context, run manifests.Run) (*Placement, error) {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &Placement{client: c, run: run, stop: stop, slots: map[string]*slot{}, changed: make(chan struct{}, 1)}
	var opening errgroup.Group
	if run.Own() {
		if err := c.createNamespaces(ctx, run); err != nil {
			return p, err
		}
		opening.Go(func() error { return c.guard(ctx, run) })
	}
	for _, namespace := range run.Namespaces() {
		opening.Go(func() error { return p.follow(ctx, watching, "pods", p.pods(namespace)) })
		opening.Go(func() error { return p.follow(ctx, watching, "events", p.events(namespace)) })
	}
	return p, opening.Wait()
}

// pods are the run's pods in a namespace.
func (p *Placement) pods(namespace string) *cache.ListWatch {
	pods := p.client.api.CoreV1().Pods(namespace)
	ours := manifests.LabelRun + "=" + p.run.ID
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.LabelSelector = ours
			return pods.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.LabelSelector = ours
			return pods.Watch(ctx, options)
		},
	}
}

// events are all events in a namespace: they carry no label of the run.
func (p *Placement) events(namespace string) *cache.ListWatch {
	events := p.client.api.CoreV1().Events(namespace)
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return events.List(ctx, options)
		},
		WatchFuncWithContext: events.Watch,
	}
}

// create creates an object. A request that has begun is finished even if ctx
// ends, since otherwise the object could appear after its removal.
func (c *Client) create(ctx context.Context, what string, request func(context.Context) error) error {
	err := c.callFor(ctx, createTimeout, patience, what, func(ctx context.Context) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
		defer cancel()
		defer context.AfterFunc(ctx, func() { time.AfterFunc(callTimeout, cancel) })()
		return request(finish)
	})
	if apierrors.IsAlreadyExists(err) {
		return nil // by an earlier attempt whose answer was lost; the names are random
	}
	return err
}

// Add creates the Jobs.
func (p *Placement) Add(ctx context.Context, placings []manifests.Placing) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, placing := range placings {
		job, err := p.run.JobObject(placing)
		if err != nil {
			return err
		}
		group.Go(func() error { return p.add(ctx, placing, job) })
	}
	return group.Wait()
}

func (p *Placement) add(ctx context.Context, placing manifests.Placing, job *batchv1.Job) error {
	s := &slot{placing: placing, created: time.Now()}
	p.mu.Lock()
	p.slots[job.Name] = s
	p.mu.Unlock()
	err := p.client.create(ctx, "creating the Job "+job.Name, func(ctx context.Context) error {
		created, err := p.client.api.BatchV1().Jobs(job.Namespace).Create(ctx, job, metav1.CreateOptions{})
		if err == nil && placing.Role == "pod" {
			p.mu.Lock()
			p.owner = created
			p.mu.Unlock()
		}
		return err
	})
	if failure := notAdmitted(err); failure != nil {
		p.change(func() { s.failure = failure })
		return nil
	}
	return err
}

// notAdmitted returns why an object was not admitted as a problem of its pod,
// nil for an error that concerns the whole run.
func notAdmitted(err error) *evidence.Problem {
	var webhook *WebhookFailed
	switch {
	case errors.As(err, &webhook):
		return &evidence.Problem{Class: evidence.ProblemWebhook, Text: Line(webhook.Error()), Hint: webhook.Hint()}
	case rejected(err):
		text := err.Error()
		return &evidence.Problem{Class: evidence.ProblemAdmission, Text: Line(text), Hint: hintAdmission(text)}
	}
	return nil
}

// Await returns when every pod is Ready or cannot become Ready any more, or when
// ctx ends; then the pods that are not Ready are problems too. It calls becameReady
// once for each such pod, and progress when something changes.
func (p *Placement) Await(ctx context.Context, progress func(Waiting), becameReady func(evidence.Pod)) {
	for {
		state, settled := p.waiting()
		for _, pod := range p.newlyReady() {
			becameReady(pod)
		}
		progress(state)
		if settled == state.All {
			return
		}
		select {
		case <-p.changed:
		case <-ctx.Done():
			p.giveUp(context.Cause(ctx))
			return
		}
	}
}

// Waiting is the progress of starting a run's pods.
type Waiting struct {
	Ready, All int
	// Reason is why most of the others are not Ready yet, with their nodes; empty
	// if that is not known.
	Reason string
}

func (w Waiting) String() string {
	text := fmt.Sprintf("%d of %d Ready", w.Ready, w.All)
	if w.Reason != "" {
		text += "; " + w.Reason
	}
	return text
}

// waiting returns the state of all pods, and how many are Ready or cannot
// become so.
func (p *Placement) waiting() (state Waiting, settled int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	state.All = len(p.slots)
	reasons := map[string]map[string]bool{} // their nodes
	for _, s := range p.slots {
		if s.ready {
			state.Ready++
		}
		if s.ready || s.failure != nil {
			settled++
		}
		if reason := s.reason(); reason != "" {
			if reasons[reason] == nil {
				reasons[reason] = map[string]bool{}
			}
			reasons[reason][s.placing.Node] = true
		}
	}
	state.Reason = mostFrequent(reasons)
	return state, settled
}

// mostFrequent returns the reason that most nodes have, with the node's name if
// it is one.
func mostFrequent(reasons map[string]map[string]bool) string {
	most := ""
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		if len(reasons[reason]) > len(reasons[most]) {
			most = reason
		}
	}
	nodes := slices.Collect(maps.Keys(reasons[most]))
	switch len(nodes) {
	case 0:
		return ""
	case 1:
		return nodes[0] + ": " + most
	}
	return fmt.Sprintf("%d nodes: %s", len(nodes), most)
}

func (p *Placement) giveUp(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.slots {
		if s.ready || s.failure != nil {
			continue
		}
		s.failure = s.late(cause)
	}
}

// late is why a pod that is not Ready is given up: what is known to have kept it
// waiting, else its state.
func (s *slot) late(cause error) *evidence.Problem {
	if s.trouble != nil {
		late := *s.trouble
		late.Text = Line(fmt.Sprintf("not Ready, %v: %s", cause, s.trouble.Text))
		return &late
	}
	text := fmt.Sprintf("not Ready, %v: %s", cause, describeState(s.pod))
	if s.note != "" {
		text += "; " + s.note
	}
	hint := "allow more time with --timeout"
	if strings.HasPrefix(s.note, "FailedCreatePodSandBox") {
		hint = hintSandbox
	}
	return &evidence.Problem{Class: evidence.ProblemTimeout, Text: Line(text), Hint: hint}
}

// hintSandbox is for a pod whose network could not be made.
const hintSandbox = "the network plugin cannot set up pods on this node: look at its log there, at other files in " +
	"the directory of CNI configurations, and whether the bridge of the pods (cni0) has the address of an earlier " +
	"pod range"

// change applies a change to the slots and wakes Await.
func (p *Placement) change(apply func()) {
	p.mu.Lock()
	apply()
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}
