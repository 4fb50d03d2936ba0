package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

// NoPolicyReports is the error for a cluster that has no kind for policy reports.
type NoPolicyReports struct{ Resource schema.GroupVersionResource }

func (e *NoPolicyReports) Error() string {
	return fmt.Sprintf("the cluster does not know %s (%s)", e.Resource.GroupResource(), e.Resource.Version)
}

// Hint describes what to do about it.
func (e *NoPolicyReports) Hint() string {
	return "install the CustomResourceDefinitions of " + e.Resource.Group + ", or omit --policy-report"
}

// NoPolicyReportAccess is the error for permissions without which a policy report
// cannot be written.
type NoPolicyReportAccess struct {
	Resource schema.GroupVersionResource
	Verbs    []string // that are not permitted
	User     string
}

func (e *NoPolicyReportAccess) Error() string {
	return fmt.Sprintf("your user is not allowed to %s %s", strings.Join(e.Verbs, " and "), e.Resource.GroupResource())
}

// Hint is the commands by which an administrator gives the permissions.
func (e *NoPolicyReportAccess) Hint() string {
	return "ask a cluster administrator to run: kubectl create clusterrole kubectl-wg-reports --verb=create,get,patch" +
		" --resource=" + e.Resource.GroupResource().String() +
		" && kubectl create clusterrolebinding kubectl-wg-reports --clusterrole=kubectl-wg-reports " + subject(e.User)
}

// CanApply returns NoPolicyReports or NoPolicyReportAccess if a policy report of a
// resource cannot be written.
func (c *Client) CanApply(ctx context.Context, resource schema.GroupVersionResource) error {
	known := false
	err := c.call(ctx, "looking for "+resource.GroupResource().String(), func(context.Context) error {
		served, err := c.api.Discovery().ServerResourcesForGroupVersion(resource.GroupVersion().String())
		if err == nil {
			known = slices.ContainsFunc(served.APIResources, func(one metav1.APIResource) bool {
				return one.Name == resource.Resource
			})
		}
		return err
	})
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return err
	case !known:
		return &NoPolicyReports{resource}
	}
	var lacking []string
	for _, verb := range []string{"create", "patch"} { // what a server asks for when an object is applied
		allowed, err := c.reviewed(ctx, &authorizationv1.ResourceAttributes{
			Group: resource.Group, Version: resource.Version, Resource: resource.Resource, Verb: verb,
		})
		if err != nil {
			return err
		}
		if !allowed {
			lacking = append(lacking, verb)
		}
	}
	if lacking != nil {
		return &NoPolicyReportAccess{resource, lacking, c.user(ctx)}
	}
	return nil
}

// Apply makes or updates an object that belongs to no namespace, which is given as
// YAML, and returns its name.
func (c *Client) Apply(ctx context.Context, resource schema.GroupVersionResource, text []byte) (string, error) {
	var object unstructured.Unstructured
	if err := yaml.Unmarshal(text, &object.Object); err != nil {
		return "", fmt.Errorf("reading the object to apply: %w", err)
	}
	name := resource.GroupResource().String() + "/" + object.GetName()
	return name, c.callFor(ctx, createTimeout, patience, "writing "+name, func(ctx context.Context) error {
		_, err := c.objects.Resource(resource).Apply(ctx, object.GetName(), &object,
			metav1.ApplyOptions{FieldManager: manifests.ManagedBy, Force: true})
		return err
	})
}
