package command

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// A report names the cluster, and never a user or a secret.
func TestIdentity(t *testing.T) {
	const config = `apiVersion: v1
kind: Config
clusters:
- {name: lab, cluster: {server: "https://admin:secret@192.0.2.10:6443/path?token=x"}}
- {name: default, cluster: {server: "https://192.0.2.11:6443"}}
users: [{name: jane, user: {}}, {name: default, user: {}}]
contexts:
- {name: lab, context: {cluster: lab, user: jane}}
- {name: jane@lab, context: {cluster: lab, user: jane}}
- {name: lab/jane, context: {cluster: lab, user: jane}}
- {name: default, context: {cluster: default, user: default}}
`
	for current, want := range map[string][2]string{
		"lab":      {"lab", "https://192.0.2.10:6443"},
		"jane@lab": {"lab", "https://192.0.2.10:6443"},
		"lab/jane": {"lab", "https://192.0.2.10:6443"},
		"default":  {"default", "https://192.0.2.11:6443"},
		"missing":  {"", ""},
	} {
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		r := &root{config: genericclioptions.NewConfigFlags(false)}
		r.config.KubeConfig = &file
		r.config.Context = &current
		context, server := r.identity()
		if context != want[0] || server != want[1] {
			t.Errorf("%s: %q at %q, want %q", current, context, server, want)
		}
	}
}

func TestAddressOf(t *testing.T) {
	for host, want := range map[string]string{
		"192.0.2.1:6443":            "https://192.0.2.1:6443",
		"http://user:pw@[::1]:80/x": "http://[::1]:80",
		"":                          "",
		"://":                       "",
		"https://%zz":               "",
	} {
		if got := addressOf(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}
