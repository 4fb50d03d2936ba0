package cluster

import (
	"context"
	"maps"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

// Unseen is the error for what could not be searched, so that leftovers there are
// unknown.
type Unseen struct {
	What []string // e.g. "Jobs in all namespaces"
}

func (e *Unseen) Error() string {
	return "your user is not allowed to list " + strings.Join(e.What, " and ") + ": leftovers there are unknown"
}

// Hint describes how to search less, or how to get the permission.
func (e *Unseen) Hint() string {
	return "search one namespace with --namespace, or get the role of kubectl wg verify --print-role"
}

// Leftovers finds what runs have created and not removed, by their label: own
// namespaces, and Jobs in namespaces that the operator named. With a namespace
// it searches only that one. It returns what it found together with Unseen if it
// was not allowed to search everywhere.
func (c *Client) Leftovers(ctx context.Context, namespace string) ([]Leftover, error) {
	found := map[string]*Leftover{}
	unseen := &Unseen{}
	if namespace == "" {
		namespaces, err := c.ourNamespaces(ctx)
		if err = unseen.forbidden(err, "namespaces"); err != nil {
			return nil, err
		}
		addNamespaces(found, namespaces)
	}
	if err := c.findJobs(ctx, namespace, found, unseen); err != nil {
		return nil, err
	}
	var all []Leftover
	for _, run := range slices.Sorted(maps.Keys(found)) {
		all = append(all, *found[run])
	}
	if unseen.What != nil {
		return all, unseen
	}
	return all, nil
}

// forbidden adds what the operator is not allowed to list and returns all other
// errors.
func (e *Unseen) forbidden(err error, what string) error {
	if apierrors.IsForbidden(err) {
		e.What = append(e.What, what)
		return nil
	}
	return err
}

func (c *Client) ourNamespaces(ctx context.Context) ([]corev1.Namespace, error) {
	var namespaces []corev1.Namespace
	page := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return c.api.CoreV1().Namespaces().List(ctx, options)
	}
	_, err := c.list(ctx, "namespaces", ours(), page, func(item runtime.Object) {
		namespaces = append(namespaces, *item.(*corev1.Namespace))
	})
	return namespaces, err
}

func ours() metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: manifests.LabelManagedBy + "=" + manifests.ManagedBy}
}

// addNamespaces adds runs' own namespaces. The label alone is not enough: a
// run's namespace also has the name that the run gives it.
func addNamespaces(found map[string]*Leftover, namespaces []corev1.Namespace) {
	for _, n := range namespaces {
		run := n.Labels[manifests.LabelRun]
		if run == "" || !slices.Contains((manifests.Run{ID: run}).Namespaces(), n.Name) {
			continue
		}
		l := found[run]
		if l == nil {
			l = &Leftover{Run: run, Own: true, Created: n.CreationTimestamp.Time, Removing: true}
			found[run] = l
		}
		l.Namespaces = append(l.Namespaces, n.Name)
		l.Removing = l.Removing && n.DeletionTimestamp != nil
	}
}

// findJobs finds Jobs everywhere, or, if that is not allowed, in the namespaces
// that were found.
func (c *Client) findJobs(ctx context.Context, namespace string, found map[string]*Leftover, unseen *Unseen) error {
	jobs, err := c.jobs(ctx, namespace)
	if err == nil {
		addJobs(found, jobs)
		return nil
	}
	where := "Jobs in all namespaces"
	if namespace != "" {
		where = "Jobs in namespace " + namespace
	}
	if err := unseen.forbidden(err, where); err != nil {
		return err
	}
	for _, l := range found {
		for _, own := range l.Namespaces {
			jobs, err := c.jobs(ctx, own)
			if err != nil && !apierrors.IsForbidden(err) {
				return err
			}
			l.Unknown = l.Unknown || err != nil
			addJobs(found, jobs)
		}
	}
	return nil
}

func (c *Client) jobs(ctx context.Context, namespace string) ([]batchv1.Job, error) {
	var jobs []batchv1.Job
	page := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return c.api.BatchV1().Jobs(namespace).List(ctx, options)
	}
	_, err := c.list(ctx, "Jobs", ours(), page, func(item runtime.Object) {
		jobs = append(jobs, *item.(*batchv1.Job))
	})
	return jobs, err
}

func addJobs(found map[string]*Leftover, jobs []batchv1.Job) {
	for _, j := range jobs {
		run := j.Labels[manifests.LabelRun]
		if run == "" {
			continue
		}
		l := found[run]
		if l == nil {
			l = &Leftover{Run: run, Namespaces: []string{j.Namespace}, Created: j.CreationTimestamp.Time}
			l.Removing = j.DeletionTimestamp != nil
			found[run] = l
		}
		l.Jobs++
		if j.Status.CompletionTime == nil && j.Status.Failed == 0 && j.Status.Succeeded == 0 {
			l.Running++
		}
	}
}
