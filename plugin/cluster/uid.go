package cluster

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// uid returns what identifies the cluster whatever it is called: the UID of its
// namespace kube-system. It is empty if that may not be read, which proves nothing
// less.
func (c *Client) uid(ctx context.Context) string {
	uid := ""
	err := c.call(ctx, "reading the namespace kube-system", func(ctx context.Context) error {
		namespace, err := c.api.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
		if err == nil {
			uid = string(namespace.UID)
		}
		return err
	})
	if err != nil {
		c.log.Debug("the cluster's identity is not known", "error", err)
	}
	return uid
}
