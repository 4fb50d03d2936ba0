package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

// Place names a ConfigMap that a run leaves.
type Place struct{ Namespace, Name string }

func (p Place) String() string { return p.Namespace + "/" + p.Name }

// Result is what a ConfigMap is to hold.
type Result struct {
	Labels map[string]string
	Data   map[string]string
	Binary map[string][]byte
}

// Foreign is the error for a ConfigMap that another program made.
type Foreign struct{ Place Place }

func (e *Foreign) Error() string {
	return fmt.Sprintf("the ConfigMap %s is not one of kubectl wg, and is left as it is", e.Place)
}

// Hint describes what to do about it.
func (e *Foreign) Hint() string { return "name another one, or remove it first" }

// ExitCode is that of a usage error.
func (e *Foreign) ExitCode() int { return 2 }

// NoResults is the error for permissions without which a run's result cannot be kept.
type NoResults struct {
	What  []string
	Place Place
	User  string
}

func (e *NoResults) Error() string {
	return fmt.Sprintf("your user is not allowed to keep results in the namespace %s: %s", e.Place.Namespace,
		strings.Join(e.What, ", "))
}

// Hint is the commands by which an administrator gives the permissions.
func (e *NoResults) Hint() string {
	in := " -n " + quote(e.Place.Namespace)
	to := " " + subject(e.User)
	return "ask a cluster administrator to run: " + strings.Join([]string{
		"kubectl create role kubectl-wg-results --verb=get,create,update --resource=configmaps" + in,
		"kubectl create role kubectl-wg-events --verb=create --resource=events" + in,
		"kubectl create rolebinding kubectl-wg-results --role=kubectl-wg-results" + in + to,
		"kubectl create rolebinding kubectl-wg-events --role=kubectl-wg-events" + in + to,
	}, " && ")
}

// results are the permissions for keeping results; name: asked for one ConfigMap.
var results = []struct {
	access
	named bool
}{
	{access{resource: "configmaps", verb: "get"}, true},
	{access{resource: "configmaps", verb: "create"}, false},
	{access{resource: "configmaps", verb: "update"}, true},
	{access{resource: "events", verb: "create"}, false},
}

// CanKeep returns NoResults if the operator may not keep a result at a place, with
// an event if that is wanted.
func (c *Client) CanKeep(ctx context.Context, at Place, event bool) error {
	var lacking []string
	for _, one := range results {
		if one.resource == "events" && !event {
			continue
		}
		about := &authorizationv1.ResourceAttributes{Namespace: at.Namespace, Verb: one.verb, Resource: one.resource}
		if one.named {
			about.Name = at.Name
		}
		allowed, err := c.reviewed(ctx, about)
		if err != nil {
			return err
		}
		if !allowed {
			lacking = append(lacking, one.String())
		}
	}
	if lacking != nil {
		return &NoResults{What: lacking, Place: at, User: c.user(ctx)}
	}
	return nil
}

func (c *Client) reviewed(ctx context.Context, about *authorizationv1.ResourceAttributes) (allowed bool, err error) {
	review := &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: about},
	}
	err = c.call(ctx, "checking permission to "+about.Verb+" "+about.Resource, func(ctx context.Context) error {
		answer, err := c.api.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err == nil {
			allowed = answer.Status.Allowed
		}
		return err
	})
	return allowed, err
}

// Kept returns what a place holds, nil if there is nothing. A ConfigMap of another
// program is an error, see Foreign.
func (c *Client) Kept(ctx context.Context, at Place) (*corev1.ConfigMap, error) {
	var kept *corev1.ConfigMap
	err := c.call(ctx, "reading the ConfigMap "+at.String(), func(ctx context.Context) (err error) {
		kept, err = c.api.CoreV1().ConfigMaps(at.Namespace).Get(ctx, at.Name, metav1.GetOptions{})
		return err
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	case kept.Labels[manifests.LabelManagedBy] != manifests.ManagedBy:
		return nil, &Foreign{at}
	}
	return kept, nil
}

// Change returns what a ConfigMap is to hold, of what it holds; nil: there is none.
type Change func(before *corev1.ConfigMap) (Result, error)

// Keep makes or updates the ConfigMap of a place. Where another run updates it
// meanwhile it is read again, and change is called once more.
func (c *Client) Keep(ctx context.Context, at Place, change Change) (*corev1.ConfigMap, error) {
	for {
		before, err := c.Kept(ctx, at)
		if err != nil {
			return nil, err
		}
		result, err := change(before)
		if err != nil {
			return nil, err
		}
		after, err := c.replace(ctx, at, before, result)
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) || !sleep(ctx, 100*time.Millisecond) {
			return after, err
		}
	}
}

// replace writes a result in the place of what was read before, nil for nothing.
func (c *Client) replace(ctx context.Context, at Place, before *corev1.ConfigMap, r Result) (*corev1.ConfigMap, error) {
	object, err := manifests.ResultObject(at.Namespace, at.Name)
	if err != nil {
		return nil, err
	}
	for name, value := range r.Labels {
		object.Labels[name] = value
	}
	object.Data, object.BinaryData = r.Data, r.Binary
	var written *corev1.ConfigMap
	what := "writing the ConfigMap " + at.String()
	err = c.callFor(ctx, createTimeout, patience, what, func(ctx context.Context) (err error) {
		if before == nil {
			written, err = c.api.CoreV1().ConfigMaps(at.Namespace).Create(ctx, object, metav1.CreateOptions{})
			return err
		}
		object.ResourceVersion = before.ResourceVersion
		written, err = c.api.CoreV1().ConfigMaps(at.Namespace).Update(ctx, object, metav1.UpdateOptions{})
		return err
	})
	if missing := noNamespace(err, at.Namespace); missing != nil {
		return nil, missing
	}
	return written, err
}

// Report writes an event about a ConfigMap: normal, or a warning.
func (c *Client) Report(ctx context.Context, about *corev1.ConfigMap, run, reason, note string, normal bool) error {
	event, err := manifests.EventObject(about, run, reason, note, normal, time.Now())
	if err != nil {
		return err
	}
	err = c.callFor(ctx, createTimeout, patience, "writing the event", func(ctx context.Context) error {
		_, err := c.api.CoreV1().Events(event.Namespace).Create(ctx, event, metav1.CreateOptions{})
		return err
	})
	if apierrors.IsAlreadyExists(err) { // written by an attempt whose answer was lost
		return nil
	}
	return err
}
