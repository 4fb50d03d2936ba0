package cluster

import (
	"fmt"
	"regexp"
)

// WebhookFailed is the error for an object that could not be created since the
// API server could not ask an admission webhook about it. The webhook has not
// refused it, see Refused.
type WebhookFailed struct {
	Webhook string // its name
	Words   string // the API server's
}

// webhookFailure matches what an API server says of a webhook that it could not
// call (apiserver pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go).
var webhookFailure = regexp.MustCompile(`failed calling (?:admission )?webhook "([^"]+)": (.+)`)

// reached matches the words about a webhook that was reached and is broken.
var reached = regexp.MustCompile(`x509: |tls: |expected webhook response|could not get REST client`)

// webhookFailed reads a message of the API server; nil if it is of something else.
func webhookFailed(message string) *WebhookFailed {
	match := webhookFailure.FindStringSubmatch(message)
	if match == nil {
		return nil
	}
	return &WebhookFailed{Webhook: match[1], Words: Line(match[2])}
}

func (e *WebhookFailed) Error() string {
	if reached.MatchString(e.Words) {
		return fmt.Sprintf("the API server cannot use the webhook %s (its words: %s)", e.Webhook, e.Words)
	}
	return fmt.Sprintf("the API server cannot reach the webhook %s (its words: %s)", e.Webhook, e.Words)
}

// Hint describes what the webhook may have to do with the pod network, and how
// to do without it.
func (e *WebhookFailed) Hint() string {
	const without = "use --namespace with a namespace that exists and that the webhook leaves out, " +
		"often kube-system, or repair or disable the webhook"
	if reached.MatchString(e.Words) {
		return without
	}
	return "if its pod runs on another node than the API server, that is the pod network that you want tested; " +
		without
}

// asWebhookFailure returns what an error of the API says of a webhook that could
// not be asked, nil if it is another error.
func asWebhookFailure(err error) *WebhookFailed {
	if !answered(err) {
		return nil
	}
	return webhookFailed(err.Error())
}
