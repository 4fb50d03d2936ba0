package cluster

import (
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	const key = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
	for text, secret := range map[string]string{
		"preshared key " + key:                                               key,
		`{"PSK":"DEADBEEF"}`:                                                 "DEADBEEF",
		`message "{\"psk\":\"DEADBEEF\"}" refused`:                           "DEADBEEF",
		"--token abcdef":                                                     "abcdef",
		"--etcd-s3-secret-key=abcdef --x":                                    "abcdef",
		"K3S_TOKEN=abcdef":                                                   "abcdef",
		"password: hunter2":                                                  "hunter2",
		"postgres://root:hunter2@db:5432/kine":                               "hunter2",
		"K10d3adbeefd3adbeef::server:0123456789abcdef":                       "0123456789abcdef",
		"token K10d3adbeefd3adbeef::server:0123":                             "d3adbeef",
		"join abcdef.0123456789abcdef":                                       "0123456789abcdef",
		"Authorization: Bearer abcdef0123456789":                             "abcdef0123456789",
		"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrIn0.c2ln failed":                   "eyJpc3MiOiJrIn0",
		"GET https://bucket.example.org/layer?X-Amz-Signature=abcdef: 403":   "abcdef",
		"AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY":      "K7MDENG",
		"-----BEGIN PRIVATE KEY----- MIIB -----END PRIVATE KEY----- follows": "MIIB",
	} {
		if got := Redact(text); strings.Contains(got, secret) || !strings.Contains(got, hidden) {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// The reason of an error stays.
func TestRedactKeepsReasons(t *testing.T) {
	for _, text := range []string{
		`pods "wg-abc234-probe-0-x7k2p" is forbidden: violates PodSecurity "restricted:latest": ` +
			"host namespaces (hostNetwork=true)",
		"0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector",
		`ErrImagePull: failed to resolve "ghcr.io/kubectl-wg/wg-probe@sha256:` +
			`0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef": not found`,
		"failed to fetch anonymous token: unexpected status: 403 Forbidden",
		`secrets "registry" not found`,
		"hostPath type check failed: /var/run/wireguard is not a directory",
		`dial tcp 192.0.2.1:6443: connect: connection refused`,
	} {
		if got := Redact(text); got != text {
			t.Errorf("%s\n%s", text, got)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("--token abcdef")
	f.Fuzz(func(t *testing.T, text string) {
		if got := Line(text); len(got) > 700 {
			t.Errorf("%d bytes", len(got))
		}
	})
}
