package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-wg/kubectl-wg/manifests"
)

// access is a permission that a run uses.
type access struct {
	group, resource, subresource, verb string

	scoped  bool // in the run's namespaces only
	own     bool // only by a run with namespaces of its own
	newPods bool // only by a run with new pods
	serves  bool // only by a run with Services
}

// needed are the permissions without which a run is not possible. Reading the
// CNI's configuration is not one of them.
var needed = []access{
	{resource: "nodes", verb: "list"},
	{resource: "namespaces", verb: "create", own: true},
	{resource: "namespaces", verb: "delete", own: true},
	{resource: "resourcequotas", verb: "create", scoped: true, own: true},
	{resource: "resourcequotas", verb: "get", scoped: true, own: true},
	{group: "networking.k8s.io", resource: "networkpolicies", verb: "create", scoped: true, own: true},
	{resource: "secrets", verb: "create", scoped: true, newPods: true},
	{resource: "services", verb: "create", scoped: true, serves: true},
	{group: "batch", resource: "jobs", verb: "create", scoped: true},
	{group: "batch", resource: "jobs", verb: "deletecollection", scoped: true},
	{resource: "pods", verb: "list", scoped: true},
	{resource: "pods", verb: "watch", scoped: true},
	{resource: "pods", subresource: "exec", verb: "create", scoped: true},
	{resource: "events", verb: "list", scoped: true},
	{resource: "events", verb: "watch", scoped: true},
}

func (a access) String() string {
	resource := a.resource
	if a.subresource != "" {
		resource += "/" + a.subresource
	}
	if a.group != "" {
		resource += "." + a.group
	}
	return a.verb + " " + resource
}

// MissingAccess is the error for permissions that the operator lacks, all of
// them at once.
type MissingAccess struct {
	What      []string
	Namespace string // that the operator named, empty for the run's own
	Services  bool   // the run makes Services
	User      string // the operator's name as the server knows it, empty if it does not say
}

func (e *MissingAccess) Error() string {
	return "your user is not allowed to: " + strings.Join(e.What, ", ")
}

// Hint is the commands by which an administrator gives the permissions.
func (e *MissingAccess) Hint() string {
	to := subject(e.User)
	role := "kubectl wg verify --print-role"
	if e.Services {
		role += " --scope services"
	}
	if e.Namespace == "" {
		return "ask a cluster administrator to run: " + role + " | kubectl apply -f - && " +
			"kubectl create clusterrolebinding kubectl-wg --clusterrole=kubectl-wg " + to +
			" ; it amounts to cluster-admin, for less see: kubectl wg verify --print-role --namespace NAME"
	}
	in := quote(e.Namespace)
	return "ask a cluster administrator to run: " + role + " -n " + in + " | kubectl apply -f - && " +
		"kubectl create clusterrolebinding kubectl-wg-nodes --clusterrole=kubectl-wg-nodes " + to + " && " +
		"kubectl create rolebinding kubectl-wg -n " + in + " --role=kubectl-wg " + to
}

// subject names a user as `kubectl create rolebinding` does.
func subject(user string) string {
	if account, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
		return "--serviceaccount=" + quote(account)
	}
	return "--user=" + quote(cmp.Or(user, "YOUR-NAME"))
}

// quote makes a word of a text that a shell could read in another way.
func quote(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-"
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// NoNamespace is the error for a namespace that does not exist, or is about to.
type NoNamespace struct {
	Name   string
	Ending bool // it is being removed
}

func (e *NoNamespace) Error() string {
	if e.Ending {
		return fmt.Sprintf("the namespace %s is being removed", e.Name)
	}
	return fmt.Sprintf("the namespace %s does not exist", e.Name)
}

// Hint describes how to get a namespace.
func (e *NoNamespace) Hint() string {
	if e.Ending {
		return "use another namespace, or omit --namespace"
	}
	return "omit --namespace, or create it: kubectl create namespace " + quote(e.Name) +
		" && kubectl label namespace " + quote(e.Name) + " pod-security.kubernetes.io/enforce=privileged"
}

// noNamespace reads an error from creating something in a namespace, nil if it
// is about something else.
func noNamespace(err error, name string) *NoNamespace {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return nil
	}
	details := status.Status().Details
	ending := apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
	if ending || apierrors.IsNotFound(err) && details != nil && details.Kind == "namespaces" {
		return &NoNamespace{Name: name, Ending: ending}
	}
	return nil
}

// Refused is the error for an object that the server does not admit.
type Refused struct {
	What string
	Err  error
}

func (e *Refused) Error() string { return fmt.Sprintf("the cluster rejects the %s: %v", e.What, e.Err) }
func (e *Refused) Unwrap() error { return e.Err }

// Hint describes what a policy has to admit.
func (e *Refused) Hint() string {
	return "the probes need hostNetwork, NET_ADMIN and NET_RAW: exempt them from the policy, " +
		"or use --namespace with a namespace that allows them"
}

// Preflight asks the server whether the run has all permissions that it needs,
// and creates its objects as a dry run. It changes nothing.
//
// Pods are not created as a dry run, since their namespace does not exist yet.
// The Job controller's events report what is wrong with them, see Placement.
func (c *Client) Preflight(ctx context.Context, run manifests.Run, placings []manifests.Placing) error {
	if err := c.Permitted(ctx, run); err != nil {
		return err
	}
	return c.tryObjects(ctx, run, placings)
}

// tryObjects creates as a dry run what can be: Jobs only where their namespace
// exists.
func (c *Client) tryObjects(ctx context.Context, run manifests.Run, placings []manifests.Placing) error {
	if run.Own() {
		return c.tryNamespaces(ctx, run)
	}
	if err := c.tryJobs(ctx, run, placings); err != nil {
		return err
	}
	return c.fits(ctx, run, placings)
}

// dryRun is what all objects of Preflight are created with.
var dryRun = metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}

func (c *Client) tryNamespaces(ctx context.Context, run manifests.Run) error {
	namespaces, err := run.NamespaceObjects()
	if err != nil {
		return err
	}
	for _, namespace := range namespaces {
		err := c.try(ctx, "namespace", func(ctx context.Context) error {
			_, err := c.api.CoreV1().Namespaces().Create(ctx, namespace, dryRun)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) tryJobs(ctx context.Context, run manifests.Run, placings []manifests.Placing) error {
	tried := map[string]bool{}
	for _, placing := range placings {
		if tried[placing.Role] {
			continue
		}
		tried[placing.Role] = true
		job, err := run.JobObject(placing)
		if err != nil {
			return err
		}
		err = c.try(ctx, placing.Role+" Job", func(ctx context.Context) error {
			_, err := c.api.BatchV1().Jobs(job.Namespace).Create(ctx, job, dryRun)
			return err
		})
		if missing := noNamespace(err, job.Namespace); missing != nil {
			return missing
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) try(ctx context.Context, what string, create func(context.Context) error) error {
	err := c.callFor(ctx, createTimeout, patience, "creating the "+what+" as a dry run", create)
	if rejected(err) {
		return &Refused{What: what, Err: err}
	}
	return err
}

// rejected reports whether the server does not admit an object.
func rejected(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
}

// Permitted returns MissingAccess if the operator lacks a permission.
func (c *Client) Permitted(ctx context.Context, run manifests.Run) error {
	lacking := make([]string, len(needed))
	group, asking := errgroup.WithContext(ctx)
	for i, a := range needed {
		if a.own && !run.Own() || a.newPods && run.NewPods == 0 || a.serves && !run.Services {
			continue
		}
		group.Go(func() error {
			allowed, err := c.allowed(asking, a, run.NamespaceOf("probe"))
			if err == nil && !allowed {
				lacking[i] = a.String()
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	lacking = slices.DeleteFunc(lacking, func(what string) bool { return what == "" })
	if len(lacking) > 0 {
		return &MissingAccess{
			What: lacking, Namespace: run.Namespace, Services: run.Services, User: c.user(ctx),
		}
	}
	return nil
}

// user returns the operator's name as the server knows it, empty if it does not
// say.
func (c *Client) user(ctx context.Context) string {
	name := ""
	err := c.call(ctx, "asking for the user's name", func(ctx context.Context) error {
		review := &authenticationv1.SelfSubjectReview{}
		answer, err := c.api.AuthenticationV1().SelfSubjectReviews().Create(ctx, review, metav1.CreateOptions{})
		if err == nil {
			name = answer.Status.UserInfo.Username
		}
		return err
	})
	if err != nil {
		c.log.Debug("the user's name is not known", "error", err)
	}
	return name
}

func (c *Client) allowed(ctx context.Context, a access, namespace string) (bool, error) {
	if !a.scoped {
		namespace = ""
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: a.verb, Group: a.group, Resource: a.resource, Subresource: a.subresource,
		},
	}}
	err := c.call(ctx, "checking permission to "+a.String(), func(ctx context.Context) error {
		answer, err := c.api.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err == nil {
			review = answer
		}
		return err
	})
	return review.Status.Allowed, err
}
