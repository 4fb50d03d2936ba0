package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The command has to be built in seconds, and Kubernetes takes minutes.
func TestLabDoesNotLinkKubernetes(t *testing.T) {
	source, err := sourceDir()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("go", "list", "-deps", ".")
	command.Dir = source
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	for dependency := range strings.FieldsSeq(string(output)) {
		for _, heavy := range []string{"k8s.io/kubernetes", "github.com/containerd/containerd/", "go.etcd.io/"} {
			if strings.HasPrefix(dependency, heavy) {
				t.Errorf("lab links %s: it belongs into the module kube or runtime, which are built once and cached", dependency)
			}
		}
	}
}

func TestKeyFollowsTheInputs(t *testing.T) {
	source := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(source, "kube", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module m")
	write("main.go", "package main")
	subject := component{name: "m", module: "kube", packages: []string{"."}}
	key := func(c component) string {
		t.Helper()
		key, err := c.key(source)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	first := key(subject)
	write("README.md", "text")
	write("main_test.go", "package main")
	if key(subject) != first {
		t.Error("text and tests change the key")
	}
	tagged := subject
	tagged.tags = "no_zfs"
	if key(tagged) == first {
		t.Error("tags do not change the key")
	}
	write("go.sum", "hash")
	second := key(subject)
	if second == first {
		t.Error("go.sum does not change the key")
	}
	write("main.go", "package main // changed")
	if key(subject) == second {
		t.Error("a source file does not change the key")
	}
}

func TestComponentsExist(t *testing.T) {
	source, err := sourceDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, component := range components {
		files, err := component.inputs(source)
		if err != nil || len(files) == 0 {
			t.Errorf("%s: inputs %v (%v)", component.name, files, err)
		}
	}
	if !strings.Contains(kubernetesVersionFlags(), "gitMinor=36 ") {
		t.Errorf("version flags: %s", kubernetesVersionFlags())
	}
	pins, err := os.ReadFile(filepath.Join(source, "kube", "go.mod"))
	if err != nil || !strings.Contains(string(pins), "k8s.io/kubernetes "+KubernetesVersion+"\n") {
		t.Errorf("kube/go.mod does not pin %s (%v)", KubernetesVersion, err)
	}
}
