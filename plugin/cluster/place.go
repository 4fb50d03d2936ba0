package cluster

import (
	"context"
	"fmt"
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
	err := c.call(ctx, what, func(ctx context.Context) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		defer cancel()
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
	if rejected(err) {
		reason := err.Error()
		p.change(func() {
			s.failure = &evidence.Problem{
				Class: evidence.ProblemAdmission, Text: Line(reason), Hint: hintAdmission(reason),
			}
		})
		return nil
	}
	return err
}

// Await returns when every pod is Ready or cannot become Ready any more, or when
// ctx ends; then the pods that are not Ready are problems too. It calls becameReady
// once for each such pod, and progress when numbers change.
func (p *Placement) Await(ctx context.Context, progress func(ready, all int), becameReady func(evidence.Pod)) {
	for {
		ready, settled, all := p.count()
		for _, pod := range p.newlyReady() {
			becameReady(pod)
		}
		progress(ready, all)
		if settled == all {
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

func (p *Placement) count() (ready, settled, all int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.slots {
		if s.ready {
			ready++
		}
		if s.ready || s.failure != nil {
			settled++
		}
	}
	return ready, settled, len(p.slots)
}

func (p *Placement) giveUp(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.slots {
		if s.ready || s.failure != nil {
			continue
		}
		waited := time.Since(s.created).Round(time.Second)
		text := fmt.Sprintf("not Ready after %s (%v): %s", waited, cause, describeState(s.pod))
		if s.note != "" {
			text += "; " + s.note
		}
		s.failure = &evidence.Problem{
			Class: evidence.ProblemTimeout, Text: Line(text), Hint: "allow more time with --timeout",
		}
	}
}

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
