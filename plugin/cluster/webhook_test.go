package cluster

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

const gatekeeper = `failed calling webhook "check-ignore-label.gatekeeper.sh": failed to call webhook: ` +
	`Post "https://gatekeeper-webhook-service.gatekeeper-system.svc:443/v1/admitlabel?timeout=3s": ` +
	`dial tcp 10.42.1.250:9443: i/o timeout`

// refuse lets the creation of a resource fail with a text as an API server would.
func refuse(api *fake.Clientset, resource, text string) (tries *int) {
	tries = new(int)
	api.PrependReactor("create", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		*tries++
		return true, nil, apierrors.NewInternalError(errors.New(text))
	})
	return tries
}

// A webhook that cannot be reached is named at once, with what it may have to do
// with the pod network: before anything is made, as namespaces and as Jobs.
func TestWebhookFails(t *testing.T) {
	for name, test := range map[string]struct {
		namespace, resource, text string
		want, hint                string
	}{
		"namespace": {"", "namespaces", gatekeeper, "cannot reach the webhook check-ignore-label.gatekeeper.sh",
			"pod network"},
		"Job": {"mine", "jobs", gatekeeper, "cannot reach the webhook check-ignore-label.gatekeeper.sh", "--namespace"},
		"certificate": {
			"", "namespaces",
			`failed calling webhook "a.b": failed to call webhook: Post "https://c": x509: certificate has expired`,
			"cannot use the webhook a.b", "or repair or disable the webhook",
		},
	} {
		t.Run(name, func(t *testing.T) {
			api := fake.NewSimpleClientset()
			tries := refuse(api, test.resource, test.text)
			c := client(api)
			c.reached.Store(true)
			run := manifests.Run{ID: "abc234", Image: "i", Namespace: test.namespace, Lifetime: time.Minute}
			placings := []manifests.Placing{{Role: "probe", Node: "a"}}
			var failed *WebhookFailed
			for what, do := range map[string]func() error{
				"dry run": func() error { return c.tryObjects(t.Context(), run, placings) },
				"Open": func() error {
					if test.resource == "jobs" {
						return &WebhookFailed{}
					}
					p, err := c.Open(t.Context(), run)
					p.Leave()
					return err
				},
			} {
				*tries = 0
				err := do()
				if !errors.As(err, &failed) {
					t.Fatalf("%s: %v", what, err)
				}
				if what == "dry run" &&
					(!strings.Contains(err.Error(), test.want) || !strings.Contains(failed.Hint(), test.hint)) {
					t.Errorf("%v; hint: %s", err, failed.Hint())
				}
				if *tries > 2 { // each of the two namespaces once
					t.Errorf("%s: %d tries", what, *tries)
				}
			}
		})
	}
}

// A Job that a webhook keeps out is a problem of its node, and so is a pod that
// the Job controller could not create twice.
func TestWebhookKeepsPodOut(t *testing.T) {
	api := fake.NewSimpleClientset()
	refuse(api, "jobs", gatekeeper)
	c := client(api)
	c.reached.Store(true)
	p, err := c.Open(t.Context(), manifests.Run{ID: "abc234", Namespace: "mine", Image: "i", Lifetime: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Leave()
	if err := p.Add(t.Context(), []manifests.Placing{{Role: "probe", Node: "a"}}); err != nil {
		t.Fatal(err)
	}
	if problems := p.Problems(); len(problems) != 1 || problems[0].Class != evidence.ProblemWebhook ||
		problems[0].Hint == "" {
		t.Errorf("%+v", problems)
	}
	s := &slot{}
	p.slots["wg-abc234-probe-1"] = s
	event := &corev1.Event{Type: corev1.EventTypeWarning, Reason: "FailedCreate",
		Message: "Error creating: Internal error occurred: " + gatekeeper}
	event.InvolvedObject.Kind, event.InvolvedObject.Name = "Job", "wg-abc234-probe-1"
	p.seeEvent(event)
	if s.failure != nil || !strings.Contains(s.reason(), "cannot reach the webhook") {
		t.Errorf("after one: %+v, %q", s.failure, s.reason())
	}
	event.Count = 2
	p.seeEvent(event)
	if s.failure == nil || s.failure.Class != evidence.ProblemWebhook {
		t.Errorf("after two: %+v", s.failure)
	}
}
