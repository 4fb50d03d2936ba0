package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

// removalPatience is how long a removal is repeated while the server is away.
const removalPatience = time.Minute

// LeftBehind is the error for what could not be removed.
type LeftBehind struct {
	What string // e.g. "namespace kubectl-wg-x7k2p"
	Run  string
	In   string // the namespace, if it is not the run's own
	Err  error
}

func (e *LeftBehind) Error() string { return fmt.Sprintf("not removed: %s: %v", e.What, e.Err) }
func (e *LeftBehind) Unwrap() error { return e.Err }

// Hint is the command that removes it.
func (e *LeftBehind) Hint() string {
	return CleanupCommand(manifests.Run{ID: e.Run, Namespace: e.In})
}

// CleanupCommand is the command that removes what a run has created.
func CleanupCommand(run manifests.Run) string {
	if run.Own() {
		return "kubectl wg cleanup " + run.ID
	}
	return "kubectl wg cleanup --namespace " + run.Namespace + " " + run.ID
}

// Remove stops following the pods and removes everything that the run created.
// If it returns no error the server has accepted the removal and completes it.
// Remove may be called again.
func (p *Placement) Remove(ctx context.Context) error {
	p.Leave()
	return p.client.remove(ctx, Leftover{Run: p.run.ID, Namespaces: p.run.Namespaces(), Own: p.run.Own()})
}

// Leave stops following the pods and leaves everything in place.
func (p *Placement) Leave() {
	p.stop()
	p.following.Wait()
}

// Leftover is what a run created and has not removed.
type Leftover struct {
	Run        string
	Namespaces []string
	Own        bool // the namespaces are the run's own
	Created    time.Time
	Jobs       int  // that exist
	Running    int  // of them, those that have not ended
	Unknown    bool // its Jobs cannot be listed
	Removing   bool // it is being removed already
}

// startTime is the longest time between a run's first namespace and its first
// Job. A Job that has ended exists for as long (ttlSecondsAfterFinished in
// manifests), so a younger namespace without a Job never had one.
const startTime = 30 * time.Second

// Begins reports whether the run may be about to create its first Job.
func (l Leftover) Begins(now time.Time) bool {
	return l.Own && l.Jobs == 0 && now.Sub(l.Created) < startTime
}

// What names the leftover.
func (l Leftover) What() string {
	names := strings.Join(l.Namespaces, " and ")
	switch {
	case l.Own && len(l.Namespaces) > 1:
		return "namespaces " + names
	case l.Own:
		return "namespace " + names
	}
	return fmt.Sprintf("Jobs labelled %s=%s in namespace %s", manifests.LabelRun, l.Run, names)
}

func (l Leftover) behind(err error) error {
	behind := &LeftBehind{What: l.What(), Run: l.Run, Err: err}
	if !l.Own {
		behind.In = l.Namespaces[0]
	}
	return behind
}

func (c *Client) remove(ctx context.Context, l Leftover) error {
	var removing errgroup.Group
	for _, namespace := range l.Namespaces {
		removing.Go(func() error { return c.removeFrom(ctx, l, namespace) })
	}
	if err := removing.Wait(); err != nil {
		return l.behind(err)
	}
	return nil
}

func (c *Client) removeFrom(ctx context.Context, l Leftover, namespace string) error {
	background := metav1.DeletePropagationBackground
	err := c.callFor(ctx, callTimeout, removalPatience, "removing", func(ctx context.Context) error {
		options := metav1.DeleteOptions{PropagationPolicy: &background}
		if l.Own {
			return c.api.CoreV1().Namespaces().Delete(ctx, namespace, options)
		}
		return c.api.BatchV1().Jobs(namespace).DeleteCollection(ctx, options, ofRun(l.Run))
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // conflict: the namespace is being removed already
	}
	return err
}

func ofRun(run string) metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: manifests.LabelRun + "=" + run}
}

// RemoveLeftover removes a leftover and waits until it is gone. It calls waiting
// with what the removal waits for, when the server says so.
func (c *Client) RemoveLeftover(ctx context.Context, l Leftover, waiting func(string)) error {
	if err := c.remove(ctx, l); err != nil {
		return err
	}
	for _, namespace := range l.Namespaces {
		if err := c.awaitGone(ctx, l, namespace, waiting); err != nil {
			return l.behind(err)
		}
	}
	return nil
}

// StillThere is the error for what the server has not finished to remove.
type StillThere struct {
	Why   string // in the server's words, empty if it does not say
	Cause error  // of the end of the wait
}

func (e *StillThere) Error() string {
	if e.Why == "" {
		return fmt.Sprintf("the server is still removing it (%v)", e.Cause)
	}
	return fmt.Sprintf("the server is still removing it (%v): %s", e.Cause, e.Why)
}

func (e *StillThere) Unwrap() error { return e.Cause }

func (c *Client) awaitGone(ctx context.Context, l Leftover, namespace string, waiting func(string)) error {
	last := ""
	for {
		gone, why, err := c.gone(ctx, l, namespace)
		if ctx.Err() != nil {
			return &StillThere{last, context.Cause(ctx)}
		}
		if err != nil || gone {
			return err
		}
		last = why
		waiting(why)
		if !sleep(ctx, 250*time.Millisecond) {
			return &StillThere{last, context.Cause(ctx)}
		}
	}
}

// gone reports whether nothing is left of a run in a namespace, and else what
// the server says that it waits for.
func (c *Client) gone(ctx context.Context, l Leftover, namespace string) (gone bool, why string, err error) {
	err = c.call(ctx, "waiting for the removal", func(ctx context.Context) error {
		if l.Own {
			n, err := c.api.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
			if err == nil {
				why = unfinished(n)
			}
			return err
		}
		pods, err := c.api.CoreV1().Pods(namespace).List(ctx, ofRun(l.Run))
		if err != nil {
			return err
		}
		jobs, err := c.api.BatchV1().Jobs(namespace).List(ctx, ofRun(l.Run))
		if err == nil {
			gone = len(pods.Items) == 0 && len(jobs.Items) == 0
			why = fmt.Sprintf("%d pods and %d Jobs", len(pods.Items), len(jobs.Items))
		}
		return err
	})
	if apierrors.IsNotFound(err) {
		return true, "", nil
	}
	return gone, why, err
}

// unfinished returns what keeps a namespace from being removed, from its
// conditions; an API service that does not answer, for example.
func unfinished(n *corev1.Namespace) string {
	var all []string
	for _, c := range n.Status.Conditions {
		if c.Status == corev1.ConditionTrue {
			all = append(all, fmt.Sprintf("%s: %s", c.Type, c.Message))
		}
	}
	return Line(strings.Join(all, "; "))
}

// AwaitPodsGone waits until the pods of the run are gone, for at most so long,
// and reports whether they are. Until then they count in the quota of their
// namespace.
func (p *Placement) AwaitPodsGone(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		left := 0
		for _, namespace := range p.run.Namespaces() {
			pods, err := p.client.api.CoreV1().Pods(namespace).List(ctx, ofRun(p.run.ID))
			if err != nil {
				return false
			}
			left += len(pods.Items)
		}
		if left == 0 {
			return true
		}
		if !sleep(ctx, 250*time.Millisecond) {
			return false
		}
	}
}
