package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

// removalPatience is how long a server that is away is waited for to take a
// removal.
const removalPatience = time.Minute

// LeftBehind is the error for what could not be removed.
type LeftBehind struct {
	What string // e.g. "namespace kubectl-wg-x7k2p"
	Run  string
	Err  error
}

func (e *LeftBehind) Error() string { return fmt.Sprintf("%s is left: %v", e.What, e.Err) }
func (e *LeftBehind) Unwrap() error { return e.Err }

// Hint is the command that removes it.
func (e *LeftBehind) Hint() string { return "kubectl wg cleanup " + e.Run }

// Remove stops following the pods and removes all that the run made. The
// server has taken the removal when it returns without an error; it finishes
// on its own. Remove may be called again.
func (p *Placement) Remove(ctx context.Context) error {
	p.Leave()
	return p.client.remove(ctx, Leftover{Run: p.run.ID, Namespace: p.run.NamespaceName(), Own: p.run.Namespace == ""})
}

// Leave stops following the pods and leaves everything in place.
func (p *Placement) Leave() {
	p.stop()
	p.follow.Wait()
}

// Leftover is what a run made and did not remove, or has not yet.
type Leftover struct {
	Run       string
	Namespace string
	Own       bool // the namespace is the run's own
	Created   time.Time
	Running   int  // pods that are not finished
	Removing  bool // already on its way out
}

// What names the leftover for a reader.
func (l Leftover) What() string {
	if l.Own {
		return "namespace " + l.Namespace
	}
	return fmt.Sprintf("Jobs labelled %s=%s in namespace %s", manifests.LabelRun, l.Run, l.Namespace)
}

func (c *Client) remove(ctx context.Context, l Leftover) error {
	background := metav1.DeletePropagationBackground
	err := c.callFor(ctx, removalPatience, "removing", func(ctx context.Context) error {
		options := metav1.DeleteOptions{PropagationPolicy: &background}
		if l.Own {
			return c.api.CoreV1().Namespaces().Delete(ctx, l.Namespace, options)
		}
		return c.api.BatchV1().Jobs(l.Namespace).DeleteCollection(ctx, options,
			metav1.ListOptions{LabelSelector: manifests.LabelRun + "=" + l.Run})
	})
	// Conflict: the namespace is being removed already.
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return &LeftBehind{What: l.What(), Run: l.Run, Err: err}
}

// Leftovers finds what runs have made and not removed, by their label: own
// namespaces, and Jobs in namespaces that the operator had named.
func (c *Client) Leftovers(ctx context.Context) ([]Leftover, error) {
	ours := metav1.ListOptions{LabelSelector: manifests.LabelManagedBy + "=" + manifests.ManagedBy}
	found := map[string]*Leftover{}
	var namespaces *corev1.NamespaceList
	err := c.call(ctx, "listing namespaces", func(ctx context.Context) (err error) {
		namespaces, err = c.api.CoreV1().Namespaces().List(ctx, ours)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, n := range namespaces.Items {
		if run := n.Labels[manifests.LabelRun]; run != "" && n.Name == (manifests.Run{ID: run}).NamespaceName() {
			found[run] = &Leftover{Run: run, Namespace: n.Name, Own: true, Created: n.CreationTimestamp.Time,
				Removing: n.DeletionTimestamp != nil}
		}
	}
	err = c.call(ctx, "listing Jobs", func(ctx context.Context) error {
		jobs, err := c.api.BatchV1().Jobs(metav1.NamespaceAll).List(ctx, ours)
		if err != nil {
			return err
		}
		for _, j := range jobs.Items {
			run := j.Labels[manifests.LabelRun]
			if run == "" {
				continue
			}
			if found[run] == nil {
				found[run] = &Leftover{Run: run, Namespace: j.Namespace, Created: j.CreationTimestamp.Time,
					Removing: j.DeletionTimestamp != nil}
			}
			if j.Status.CompletionTime == nil && j.Status.Failed == 0 && j.Status.Succeeded == 0 {
				found[run].Running++
			}
		}
		return nil
	})
	// Without permission to see all Jobs the namespaces are still something.
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, err
	}
	var all []Leftover
	for _, l := range found {
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b Leftover) int { return strings.Compare(a.Run, b.Run) })
	return all, nil
}

// RemoveLeftover removes it and waits until it is gone.
func (c *Client) RemoveLeftover(ctx context.Context, l Leftover) error {
	if err := c.remove(ctx, l); err != nil {
		return err
	}
	for {
		gone, err := c.gone(ctx, l)
		if err != nil {
			return &LeftBehind{What: l.What(), Run: l.Run, Err: err}
		}
		if gone {
			return nil
		}
		if !sleep(ctx, 250*time.Millisecond) {
			return &LeftBehind{What: l.What(), Run: l.Run, Err: errors.New("the server is still removing it")}
		}
	}
}

func (c *Client) gone(ctx context.Context, l Leftover) (gone bool, err error) {
	err = c.call(ctx, "waiting for the removal", func(ctx context.Context) error {
		if l.Own {
			_, err := c.api.CoreV1().Namespaces().Get(ctx, l.Namespace, metav1.GetOptions{})
			return err
		}
		pods, err := c.api.CoreV1().Pods(l.Namespace).List(ctx, metav1.ListOptions{LabelSelector: manifests.LabelRun + "=" + l.Run})
		if err != nil {
			return err
		}
		jobs, err := c.api.BatchV1().Jobs(l.Namespace).List(ctx, metav1.ListOptions{LabelSelector: manifests.LabelRun + "=" + l.Run})
		gone = err == nil && len(pods.Items) == 0 && len(jobs.Items) == 0
		return err
	})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return gone, err
}
