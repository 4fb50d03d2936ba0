package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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

// RemoveLeftover removes a leftover and waits until it is gone.
func (c *Client) RemoveLeftover(ctx context.Context, l Leftover) error {
	if err := c.remove(ctx, l); err != nil {
		return err
	}
	for _, namespace := range l.Namespaces {
		if err := c.awaitGone(ctx, l, namespace); err != nil {
			return l.behind(err)
		}
	}
	return nil
}

func (c *Client) awaitGone(ctx context.Context, l Leftover, namespace string) error {
	for {
		gone, err := c.gone(ctx, l, namespace)
		if err != nil || gone {
			return err
		}
		if !sleep(ctx, 250*time.Millisecond) {
			return errors.New("the server is still removing it")
		}
	}
}

func (c *Client) gone(ctx context.Context, l Leftover, namespace string) (gone bool, err error) {
	err = c.call(ctx, "waiting for the removal", func(ctx context.Context) error {
		if l.Own {
			_, err := c.api.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
			return err
		}
		pods, err := c.api.CoreV1().Pods(namespace).List(ctx, ofRun(l.Run))
		if err != nil {
			return err
		}
		jobs, err := c.api.BatchV1().Jobs(namespace).List(ctx, ofRun(l.Run))
		gone = err == nil && len(pods.Items) == 0 && len(jobs.Items) == 0
		return err
	})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return gone, err
}
