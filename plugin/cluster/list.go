package cluster

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
)

// list reads a list page by page and passes each item to visit. It returns the
// list's resource version, from which a watch can continue.
func (c *Client) list(
	ctx context.Context, what string, options metav1.ListOptions, page pager.ListPageFunc, visit func(runtime.Object),
) (version string, err error) {
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (list runtime.Object, err error) {
		err = c.call(ctx, "listing "+what, func(ctx context.Context) (err error) {
			list, err = page(ctx, options)
			return err
		})
		return list, err
	})
	all, _, err := pages.List(ctx, options)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) { // the pager's own
		return "", fmt.Errorf("listing %s: %w", what, cause)
	}
	if err != nil {
		return "", err
	}
	err = meta.EachListItem(all, func(item runtime.Object) error {
		visit(item)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("listing %s: %w", what, err)
	}
	about, err := meta.ListAccessor(all)
	if err != nil {
		return "", fmt.Errorf("listing %s: %w", what, err)
	}
	return about.GetResourceVersion(), nil
}
