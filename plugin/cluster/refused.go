package cluster

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// refused is the error for an exec request whose answer was not a session, or a
// session that ended with a failure.
type refused struct {
	code   int    // HTTP, 0 for a session that ended
	words  string // of whatever answered
	server bool   // it was an API server: the answer is a Status
}

// newRefused reads an answer and as much of its body as was received.
func newRefused(response *http.Response, body []byte) *refused {
	e := &refused{code: response.StatusCode, words: Line(string(body))}
	var status metav1.Status
	switch err := json.Unmarshal(body, &status); {
	case err == nil && status.Kind == "Status":
		e.server = true
		e.words = Line(status.Message)
	case strings.Contains(string(body), `"kind":"Status"`): // only its beginning was received
		e.server = true
	}
	return e
}

func (e *refused) Error() string {
	return cmp.Or(e.words, fmt.Sprintf("HTTP status %d %s", e.code, http.StatusText(e.code)))
}

// unsupported reports whether the answer may mean that there are no WebSockets
// here: then SPDY is worth a try. An API server that fails itself, which is how
// it answers when it cannot reach the kubelet, fails over SPDY too, half a minute
// later.
func (e *refused) unsupported() bool {
	failed := e.code >= 500 || e.code == http.StatusUnauthorized || e.code == http.StatusTooManyRequests
	return !e.server || !failed
}

// KubeletUnreachable is the error for an exec request that the API server could
// not pass on, since it did not reach the node's kubelet.
type KubeletUnreachable struct {
	At    string // the kubelet's address and port; empty if the server does not name them
	Words string // the API server's
}

func (e *KubeletUnreachable) Error() string {
	return e.About("the kubelet")
}

// About describes the error for a kubelet, named e.g. "the kubelet of node-2".
func (e *KubeletUnreachable) About(kubelet string) string {
	if e.At != "" {
		kubelet += " at " + e.At
	}
	return fmt.Sprintf("the API server cannot reach %s (its words: %s); kubectl exec and logs fail there too",
		kubelet, e.Words)
}

// KubeletDistrusted is the error when the API server and the kubelet reach each
// other and do not accept each other's certificate or credentials.
type KubeletDistrusted struct{ Words string }

func (e *KubeletDistrusted) Error() string {
	return fmt.Sprintf("the API server and the kubelet do not accept each other's credentials "+
		"(the server's words: %s); kubectl exec and logs fail there too", e.Words)
}

// Hint names what is to be compared.
func (e *KubeletDistrusted) Hint() string {
	return "check the kubelet's serving certificate (its names and addresses, and whether it has expired), " +
		"the clocks of both, and the certificate with which the API server authenticates to kubelets"
}

var (
	// The API server's words when it cannot pass a request on to a kubelet: its
	// own (apimachinery pkg/util/proxy/upgradeaware.go, client-go transport/spdy),
	// and those of the tunnel that K3s and RKE2 have to their agents.
	undialed = regexp.MustCompile(`error dialing backend|while dialing |dial (?:tcp|udp)|No agent available`)
	// Where it was going.
	dialed = regexp.MustCompile(`(?:dial tcp[46]?|while dialing) ((?:\[[0-9a-fA-F:.%]+\]|[\w.-]+):\d+)`)
	// It got there, and one of the two does not trust the other.
	distrusted = regexp.MustCompile(`x509: |tls: |unable to upgrade connection: (?:Unauthorized|Forbidden)`)
	// What the words begin with, and what says nothing.
	preamble = regexp.MustCompile(`^(?:Internal error occurred: )?(?:error sending request: Post "[^"]*": )?`)
)

// ofKubelet returns what an exec error says of the kubelet, or the error itself.
func ofKubelet(err error) error {
	text := preamble.ReplaceAllString(serverWords(err), "")
	switch {
	case distrusted.MatchString(text):
		return &KubeletDistrusted{Words: text}
	case undialed.MatchString(text):
		unreachable := &KubeletUnreachable{Words: text}
		if at := dialed.FindStringSubmatch(text); at != nil {
			unreachable.At = at[1]
		}
		return unreachable
	}
	return err
}

// serverWords returns what an API server said in an exec error, empty if the
// error is of this side.
func serverWords(err error) string {
	var answer *refused
	if errors.As(err, &answer) && answer.server {
		return answer.words
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return Line(status.Status().Message)
	}
	if err != nil && strings.HasPrefix(err.Error(), "unable to upgrade connection: ") { // client-go's, over SPDY
		return Line(err.Error())
	}
	return ""
}
