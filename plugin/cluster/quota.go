package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

// QuotaTooSmall is the error for a namespace whose quota cannot take the run's
// pods.
type QuotaTooSmall struct {
	Quota, Namespace string
	Resource         corev1.ResourceName
	Hard, Used, Need resource.Quantity
}

func (e *QuotaTooSmall) Error() string {
	return fmt.Sprintf("the quota %s of namespace %s allows %s %s, of which %s are used; the run needs %s",
		e.Quota, e.Namespace, &e.Hard, e.Resource, &e.Used, &e.Need)
}

// Hint describes how large the quota has to be.
func (e *QuotaTooSmall) Hint() string {
	enough := e.Used.DeepCopy()
	enough.Add(e.Need)
	return fmt.Sprintf("raise %s in the quota to %s, name fewer nodes with --nodes, or omit --namespace",
		e.Resource, &enough)
}

// endingTime is how long to wait for the pods of an earlier run to end, which
// count until then.
const endingTime = 15 * time.Second

// fits returns QuotaTooSmall if the namespace of the run has no room for its
// pods. What quotas are there has to be readable for it.
func (c *Client) fits(ctx context.Context, run manifests.Run, placings []manifests.Placing) error {
	need, err := needs(run, placings)
	if err != nil {
		return err
	}
	began := time.Now()
	for {
		before := c.ending(ctx, run.Namespace)
		err := c.fitsNow(ctx, run.Namespace, need)
		var small *QuotaTooSmall
		if !errors.As(err, &small) || !before || time.Since(began) > endingTime {
			return err
		}
		if !sleep(ctx, time.Second) {
			return context.Cause(ctx)
		}
	}
}

func (c *Client) fitsNow(ctx context.Context, namespace string, need corev1.ResourceList) error {
	var quotas *corev1.ResourceQuotaList
	err := c.call(ctx, "listing the quotas", func(ctx context.Context) (err error) {
		quotas, err = c.api.CoreV1().ResourceQuotas(namespace).List(ctx, metav1.ListOptions{})
		return err
	})
	if apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range quotas.Items {
		if small := tooSmall(&quotas.Items[i], need); small != nil {
			return small
		}
	}
	return nil
}

// tooSmall returns what a quota lacks, nil if it is enough. One that counts only
// some of the pods is not understood.
func tooSmall(quota *corev1.ResourceQuota, need corev1.ResourceList) *QuotaTooSmall {
	if len(quota.Spec.Scopes) > 0 || quota.Spec.ScopeSelector != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(need)) {
		wanted := need[name]
		hard, limited := quota.Status.Hard[name]
		if !limited {
			continue
		}
		used := quota.Status.Used[name]
		after := used.DeepCopy()
		after.Add(wanted)
		if after.Cmp(hard) > 0 {
			return &QuotaTooSmall{
				Quota: quota.Name, Namespace: quota.Namespace, Resource: name, Hard: hard, Used: used, Need: wanted,
			}
		}
	}
	return nil
}

// needs is what a quota counts of the run's pods, by the names that quotas have
// for it.
func needs(run manifests.Run, placings []manifests.Placing) (corev1.ResourceList, error) {
	need := corev1.ResourceList{}
	add := func(name corev1.ResourceName, quantity resource.Quantity) {
		sum := need[name]
		sum.Add(quantity)
		need[name] = sum
	}
	one := resource.MustParse("1")
	for _, placing := range placings {
		job, err := run.JobObject(placing)
		if err != nil {
			return nil, err
		}
		for _, name := range []corev1.ResourceName{"pods", "count/pods", "count/jobs.batch"} {
			add(name, one)
		}
		for _, container := range job.Spec.Template.Spec.Containers {
			for name, quantity := range container.Resources.Requests {
				add(name, quantity)
				add("requests."+name, quantity)
			}
			for name, quantity := range container.Resources.Limits {
				add("limits."+name, quantity)
			}
		}
	}
	return need, nil
}

// ending reports whether pods of a run are being removed from a namespace.
func (c *Client) ending(ctx context.Context, namespace string) bool {
	var pods *corev1.PodList
	err := c.call(ctx, "listing pods", func(ctx context.Context) (err error) {
		pods, err = c.api.CoreV1().Pods(namespace).List(ctx, ours())
		return err
	})
	if err != nil {
		return false
	}
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp != nil {
			return true
		}
	}
	return false
}
