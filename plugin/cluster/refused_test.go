package cluster

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

// What an API server says when it does not reach a kubelet is kept in its own
// words, before the session and, by servers that translate WebSockets, in it. It
// is not tried again over SPDY, which would take as long.
func TestKubeletUnreachable(t *testing.T) {
	const k3s = "proxy error from 127.0.0.1:6443 while dialing 192.0.2.12:10250, code 502: 502 Bad Gateway"
	for name, test := range map[string]struct {
		says, at, words string
		distrusted      bool
	}{
		"dropped": {"error dialing backend: dial tcp 192.0.2.12:10250: i/o timeout", "192.0.2.12:10250",
			"i/o timeout", false},
		"rejected": {"error dialing backend: dial tcp 192.0.2.12:10250: connect: connection refused",
			"192.0.2.12:10250", "refused", false},
		"translated": {
			`Internal error occurred: error sending request: Post "https://192.0.2.12:10250/exec/a/b/agent?x=y": ` +
				`dial tcp 192.0.2.12:10250: connect: no route to host`,
			"192.0.2.12:10250", "(its words: dial tcp 192.0.2.12:10250: connect: no route to host)", false,
		},
		"IPv6": {"error dialing backend: dial tcp [2001:db8::2]:10250: i/o timeout", "[2001:db8::2]:10250",
			"timeout", false},
		"K3s":          {k3s, "192.0.2.12:10250", k3s, false},
		"no name":      {"error dialing backend: dial tcp: lookup node-2: no such host", "", "no such host", false},
		"Konnectivity": {"error dialing backend: No agent available", "", "No agent available", false},
		"certificate": {
			"error dialing backend: tls: failed to verify certificate: x509: certificate has expired", "", "x509", true,
		},
		"credentials": {"unable to upgrade connection: Unauthorized", "", "Unauthorized", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := &execServer{status: http.StatusInternalServerError, says: test.says}
			within := &execServer{protocols: v5,
				command: ends(`{"status":"Failure","message":` + quoted(test.says) + `}`)}
			for _, server := range []*execServer{before, within} {
				err := run(t.Context(), server.client(t), strings.NewReader(""))
				var unreachable *KubeletUnreachable
				var distrust *KubeletDistrusted
				if errors.As(err, &unreachable) == test.distrusted || errors.As(err, &distrust) != test.distrusted {
					t.Fatalf("err = %v", err)
				}
				if !strings.Contains(err.Error(), test.words) || unreachable != nil && unreachable.At != test.at {
					t.Errorf("err = %v", err)
				}
				if requests := server.requests.Load(); requests != 1 {
					t.Errorf("%d requests", requests)
				}
			}
		})
	}
}

func quoted(text string) string { return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"` }

// Other answers are not a statement about the kubelet; those that may mean that
// there are no WebSockets are followed by SPDY, and the first error is kept.
func TestFallBack(t *testing.T) {
	for name, test := range map[string]struct {
		server   *execServer
		want     string
		requests int32
	}{
		"400":        {&execServer{status: http.StatusBadRequest}, "GET: no such pod; and over SPDY: ", 2},
		"403":        {&execServer{status: http.StatusForbidden}, "GET: no such pod; and over SPDY: ", 2},
		"426":        {&execServer{status: http.StatusUpgradeRequired}, "GET: no such pod; and over SPDY: ", 2},
		"401":        {&execServer{status: http.StatusUnauthorized}, "GET: no such pod", 1},
		"503":        {&execServer{status: http.StatusServiceUnavailable}, "GET: no such pod", 1},
		"the same":   {&execServer{status: http.StatusNotFound, says: "none"}, "none", 2},
		"not theirs": {&execServer{status: http.StatusInternalServerError, says: "dialling"}, "dialling", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), test.server.client(t), strings.NewReader(""))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "kubelet") {
				t.Errorf("err = %v", err)
			}
			if requests := test.server.requests.Load(); requests != test.requests {
				t.Errorf("%d requests, want %d", requests, test.requests)
			}
		})
	}
}

// A proxy's page is not an answer of an API server, whatever its status.
func TestProxyPage(t *testing.T) {
	page := []byte("<html>dial tcp 192.0.2.12:10250: i/o timeout</html>")
	answer := newRefused(&http.Response{StatusCode: http.StatusBadGateway}, page)
	if !answer.unsupported() || ofKubelet(answer).Error() != answer.Error() {
		t.Errorf("%+v", answer)
	}
	cut := newRefused(&http.Response{StatusCode: http.StatusInternalServerError},
		[]byte(`{"kind":"Status","message":"error di`))
	if cut.unsupported() {
		t.Error("a Status that was cut is taken for a proxy's page")
	}
	if empty := newRefused(&http.Response{StatusCode: http.StatusBadGateway},
		nil); empty.Error() != "HTTP status 502 Bad Gateway" {
		t.Error(empty)
	}
}

// A connection to the API server that fails on this side says nothing of a kubelet.
func TestOwnConnectionFails(t *testing.T) {
	own := errors.New(
		`error sending request: Post "https://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused`)
	if ofKubelet(own).Error() != own.Error() {
		t.Error(ofKubelet(own))
	}
}
