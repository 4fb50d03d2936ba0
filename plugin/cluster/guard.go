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

// guard creates what protects the run's own namespaces: quotas and a
// NetworkPolicy. It returns when the quotas are in force, since a quota that is
// not counted yet refuses all pods.
func (c *Client) guard(ctx context.Context, run manifests.Run) error {
	quotas, err := run.QuotaObjects()
	if err != nil {
		return err
	}
	policy, err := run.PolicyObject()
	if err != nil {
		return err
	}
	var creating errgroup.Group
	for _, quota := range quotas {
		creating.Go(func() error { return c.createQuota(ctx, quota) })
	}
	creating.Go(func() error {
		return c.create(ctx, "creating the NetworkPolicy", func(ctx context.Context) error {
			_, err := c.api.NetworkingV1().NetworkPolicies(policy.Namespace).Create(ctx, policy, metav1.CreateOptions{})
			return err
		})
	})
	return creating.Wait()
}

// quotaTime is how long to wait for a quota to be counted. That takes
// milliseconds, or never happens where the cluster has no controller for quotas.
const quotaTime = 5 * time.Second

// createQuota creates a quota and waits until it is counted: before that it
// refuses every pod (kubernetes staging/src/k8s.io/apiserver/pkg/admission/
// plugin/resourcequota/controller.go, "status unknown for quota"). A quota that
// is never counted is removed again.
func (c *Client) createQuota(ctx context.Context, quota *corev1.ResourceQuota) error {
	quotas := c.api.CoreV1().ResourceQuotas(quota.Namespace)
	err := c.create(ctx, "creating the quota", func(ctx context.Context) error {
		_, err := quotas.Create(ctx, quota, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	log := c.log.With("namespace", quota.Namespace)
	began := time.Now()
	wait := 20 * time.Millisecond
	for time.Since(began) < quotaTime && sleep(ctx, wait) {
		wait = min(2*wait, 250*time.Millisecond)
		counted := false
		err := c.call(ctx, "waiting for the quota", func(ctx context.Context) error {
			now, err := quotas.Get(ctx, quota.Name, metav1.GetOptions{})
			counted = err == nil && len(now.Status.Hard) > 0
			return err
		})
		if counted || err != nil {
			log.Debug("quota", "counted", counted, "after", time.Since(began), "error", err)
			return err
		}
	}
	log.Debug("no controller counts the quota; it is removed")
	return c.call(ctx, "removing the quota", func(ctx context.Context) error {
		return quotas.Delete(ctx, quota.Name, metav1.DeleteOptions{})
	})
}

// Provide creates the Secret that new pods read. It is to be called after a test
// pod was added and before the new pods are.
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
