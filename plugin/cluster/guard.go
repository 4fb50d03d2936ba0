package cluster

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

func (c *Client) createNamespaces(ctx context.Context, run manifests.Run) error {
	namespaces, err := run.NamespaceObjects()
	if err != nil {
		return err
	}
	var creating errgroup.Group
	for _, namespace := range namespaces {
		creating.Go(func() error {
			return c.create(ctx, "creating the namespace "+namespace.Name, func(ctx context.Context) error {
				_, err := c.api.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
				return err
			})
		})
	}
	return creating.Wait()
}

// guard creates what the run's own namespaces are guarded with. It returns when
// the quotas hold, so that no pod is refused for one that is not counted yet.
func (c *Client) guard(ctx context.Context, run manifests.Run) error {
	quotas, err := run.QuotaObjects()
	if err != nil {
		return err
	}
	policy, err := run.PolicyObject()
	if err != nil {
		return err
	}
	var guarding errgroup.Group
	for _, quota := range quotas {
		guarding.Go(func() error { return c.createQuota(ctx, quota) })
	}
	guarding.Go(func() error {
		return c.create(ctx, "creating the NetworkPolicy", func(ctx context.Context) error {
			_, err := c.api.NetworkingV1().NetworkPolicies(policy.Namespace).Create(ctx, policy, metav1.CreateOptions{})
			return err
		})
	})
	return guarding.Wait()
}

// quotaTime is how long a quota may take to be counted. It is counted within
// milliseconds, or never, where the cluster has no controller for quotas.
const quotaTime = 5 * time.Second

// createQuota creates a quota and waits until it is counted: before that every
// pod is refused (kubernetes staging/src/k8s.io/apiserver/pkg/admission/plugin/
// resourcequota/controller.go, "status unknown for quota"). One that nobody
// counts is removed again.
func (c *Client) createQuota(ctx context.Context, quota *corev1.ResourceQuota) error {
	quotas := c.api.CoreV1().ResourceQuotas(quota.Namespace)
	err := c.create(ctx, "creating the quota", func(ctx context.Context) error {
		_, err := quotas.Create(ctx, quota, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	wait := 20 * time.Millisecond
	began := time.Now()
	for ; time.Since(began) < quotaTime && sleep(ctx, wait); wait = min(2*wait, 250*time.Millisecond) {
		counted := false
		err := c.call(ctx, "waiting for the quota", func(ctx context.Context) error {
			now, err := quotas.Get(ctx, quota.Name, metav1.GetOptions{})
			counted = err == nil && len(now.Status.Hard) > 0
			return err
		})
		if counted || err != nil {
			c.log.Debug("quota", "namespace", quota.Namespace, "counted", counted, "after", time.Since(began), "error", err)
			return err
		}
	}
	c.log.Debug("nothing counts quotas here; it is removed", "namespace", quota.Namespace)
	return c.call(ctx, "removing the quota", func(ctx context.Context) error {
		return quotas.Delete(ctx, quota.Name, metav1.DeleteOptions{})
	})
}

// Provide creates the Secret that new pods read, which must be there before
// they are added, and after a test pod was.
func (p *Placement) Provide(ctx context.Context, values map[string]string) error {
	p.mu.Lock()
	owner := p.owner
	p.mu.Unlock()
	secret, err := p.run.SecretObject(values, owner)
	if err != nil {
		return err
	}
	return p.client.create(ctx, "creating the Secret "+secret.Name, func(ctx context.Context) error {
		_, err := p.client.api.CoreV1().Secrets(secret.Namespace).Create(ctx, secret, metav1.CreateOptions{})
		return err
	})
}
