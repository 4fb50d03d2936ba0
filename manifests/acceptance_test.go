package manifests

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// built is what kustomize makes of a folder, by kind and name.
func built(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	kustomizer := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
	made, err := kustomizer.Run(filesys.MakeFsOnDisk(), filepath.Join("acceptance", folder))
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string][]byte{}
	for _, one := range made.Resources() {
		text, err := one.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		objects[one.GetKind()+" "+one.GetName()] = text
	}
	return objects
}

// rendered is what the chart makes of its values and others, by kind and name. The
// functions are those of Helm that the chart uses.
func rendered(t *testing.T, values map[string]any) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile("acceptance/chart/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for name, value := range values {
		if _, known := all[name]; !known {
			t.Fatalf("values.yaml has no %s", name)
		}
		all[name] = value
	}
	chart := template.New("").Option("missingkey=error")
	chart.Funcs(template.FuncMap{
		"quote":   func(text string) string { quoted, _ := json.Marshal(text); return string(quoted) },
		"nindent": func(n int, text string) string { return "\n" + indent(n, text) },
		"int":     func(value any) int { number, _ := value.(float64); return int(number) },
		"toYaml":  func(value any) string { text, _ := yaml.Marshal(value); return strings.TrimSpace(string(text)) },
		"include": func(name string, with any) (string, error) {
			var b strings.Builder
			err := chart.ExecuteTemplate(&b, name, with)
			return b.String(), err
		},
	})
	if _, err := chart.ParseGlob("acceptance/chart/templates/*"); err != nil {
		t.Fatal(err)
	}
	objects := map[string][]byte{}
	for _, one := range chart.Templates() {
		if !strings.HasSuffix(one.Name(), ".yaml") {
			continue
		}
		var b bytes.Buffer
		if err := one.Execute(&b, map[string]any{
			"Values": all, "Release": map[string]string{"Name": "r", "Namespace": "ns"},
		}); err != nil {
			t.Fatal(err)
		}
		for _, object := range regexp.MustCompile(`(?m)^---$`).Split(b.String(), -1) {
			var about struct {
				Kind     string
				Metadata struct{ Name string }
			}
			if err := yaml.Unmarshal([]byte(object), &about); err != nil {
				t.Fatalf("%s: %v\n%s", one.Name(), err, object)
			}
			if about.Kind != "" {
				objects[about.Kind+" "+about.Metadata.Name] = []byte(object)
			}
		}
	}
	return objects
}

func indent(n int, text string) string {
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(text, "\n", "\n"+pad)
}

func decoded[T any](t *testing.T, objects map[string][]byte, name string) *T {
	t.Helper()
	text, found := objects[name]
	if !found {
		t.Fatalf("there is no %s", name)
	}
	object := new(T)
	if err := yaml.UnmarshalStrict(text, object); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	return object
}

// What is applied is valid and restricted, and the rights are those of an operator
// and a place for results, no more.
func TestAcceptance(t *testing.T) {
	operator, err := OperatorRole()
	if err != nil {
		t.Fatal(err)
	}
	const role, results = "ClusterRole kubectl-wg-acceptance", "Role kubectl-wg-results"
	const chartRole, chartResults = "ClusterRole r-kubectl-wg-ns", "Role r-kubectl-wg"
	single := rendered(t, map[string]any{"schedule": ""})
	for name, test := range map[string]struct {
		objects                  map[string][]byte
		job, cron, role, results string
	}{
		"job":       {built(t, "job"), "Job wg-verify", "", role, results},
		"cronjob":   {built(t, "cronjob"), "", "CronJob wg-verify", role, results},
		"argocd":    {built(t, "argocd"), "Job wg-verify", "", role, results},
		"chart":     {rendered(t, nil), "Job r-wg-test", "CronJob r-wg-verify", chartRole, chartResults},
		"chart job": {single, "Job r-wg-verify", "", chartRole, chartResults},
	} {
		t.Run(name, func(t *testing.T) {
			if test.job != "" {
				restricted(t, &decoded[batchv1.Job](t, test.objects, test.job).Spec)
			}
			if test.cron != "" {
				restricted(t, &decoded[batchv1.CronJob](t, test.objects, test.cron).Spec.JobTemplate.Spec)
			}
			rules := decoded[rbacv1.ClusterRole](t, test.objects, test.role).Rules
			if !reflect.DeepEqual(rules, operator.Rules) {
				t.Errorf("the rules are not those of an operator: %+v", rules)
			}
			kept := decoded[rbacv1.Role](t, test.objects, test.results).Rules
			var printed rbacv1.Role
			if err := yaml.UnmarshalStrict(ResultsRole("ns", kept[1].ResourceNames, true), &printed); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(kept, printed.Rules) {
				t.Errorf("the rules for results are %+v, --print-role prints %+v", kept, printed.Rules)
			}
			if len(kept) != 3 || len(kept[1].ResourceNames) != 2 || slices.Contains(kept[0].Verbs, "update") {
				t.Errorf("%+v", kept)
			}
		})
	}
	hook := decoded[batchv1.Job](t, built(t, "argocd"), "Job wg-verify")
	if hook.Annotations["argocd.argoproj.io/hook"] != "PostSync" || hook.Namespace != "kubectl-wg-acceptance" {
		t.Errorf("%+v", hook.ObjectMeta)
	}
}

// Who wants the result as a policy report too gets the argument and the rules that are
// printed for it, whatever runs the verification.
func TestAcceptanceWithPolicyReports(t *testing.T) {
	const reports, bound = "ClusterRole kubectl-wg-reports", "ClusterRoleBinding kubectl-wg-reports"
	for _, base := range []string{"job", "cronjob", "argocd"} {
		overlay := filesys.MakeFsOnDisk()
		dir, err := os.MkdirTemp("acceptance", "test-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		text := "resources: [../" + base + "]\ncomponents: [../openreports]\n"
		if err := overlay.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text)); err != nil {
			t.Fatal(err)
		}
		objects := built(t, filepath.Base(dir))
		pod := podOf(t, objects)
		if args := pod.Containers[0].Args; args[len(args)-1] != "--policy-report=openreports" {
			t.Errorf("%s: %q", base, args)
		}
		wantPolicyRules(t, decoded[rbacv1.ClusterRole](t, objects, reports).Rules, "openreports")
		if len(decoded[rbacv1.ClusterRoleBinding](t, objects, bound).Subjects) != 1 {
			t.Errorf("%s: %s", base, objects[bound])
		}
	}
	for format := range PolicyReports {
		objects := rendered(t, map[string]any{"policyReport": format})
		rules := decoded[rbacv1.ClusterRole](t, objects, "ClusterRole r-kubectl-wg-ns").Rules
		wantPolicyRules(t, rules[len(rules)-1:], format)
		pod := decoded[batchv1.CronJob](t, objects, "CronJob r-wg-verify").Spec.JobTemplate.Spec.Template.Spec
		if !slices.Contains(pod.Containers[0].Args, "--policy-report="+format) {
			t.Errorf("%q", pod.Containers[0].Args)
		}
	}
}

// podOf is the pod of the Job or CronJob among objects.
func podOf(t *testing.T, objects map[string][]byte) *corev1.PodSpec {
	t.Helper()
	if _, cron := objects["CronJob wg-verify"]; cron {
		return &decoded[batchv1.CronJob](t, objects, "CronJob wg-verify").Spec.JobTemplate.Spec.Template.Spec
	}
	return &decoded[batchv1.Job](t, objects, "Job wg-verify").Spec.Template.Spec
}

func wantPolicyRules(t *testing.T, got []rbacv1.PolicyRule, format string) {
	t.Helper()
	var printed rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(PolicyReportRole(format), &printed); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, printed.Rules) {
		t.Errorf("%s: %+v, printed are %+v", format, got, printed.Rules)
	}
}

// restricted holds a Job against the Pod Security profile of its own namespace.
func restricted(t *testing.T, job *batchv1.JobSpec) {
	t.Helper()
	pod := &job.Template.Spec
	c := pod.Containers[0].SecurityContext
	switch {
	case pod.HostNetwork || pod.HostPID || pod.HostIPC || len(pod.Containers) != 1:
	case !*pod.SecurityContext.RunAsNonRoot:
	case pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault:
	case *c.AllowPrivilegeEscalation || !*c.ReadOnlyRootFilesystem || c.Privileged != nil:
	case !slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(c.Capabilities.Add) > 0:
	case *job.BackoffLimit != 0 || job.ActiveDeadlineSeconds == nil || pod.RestartPolicy != corev1.RestartPolicyNever:
	case pod.ServiceAccountName == "" || pod.Containers[0].Args[0] != "verify":
	default:
		return
	}
	t.Errorf("%+v", pod)
}

// The chart's values reach the command line, and no value breaks out of its field.
func TestChartValues(t *testing.T) {
	hostile := "x\"\n  evil: true"
	objects := rendered(t, map[string]any{
		"parts": 8.0, "policy": hostile, "probeImage": "registry.example/wg-probe:v1",
		"args": []any{"--scope=pods,services", hostile},
	})
	pod := decoded[batchv1.CronJob](t, objects, "CronJob r-wg-verify").Spec.JobTemplate.Spec.Template.Spec
	want := []string{"verify", "--report-configmap=r-wg-report", "--ledger=r-wg-ledger",
		"--image=registry.example/wg-probe:v1", "--part=next/8", "--policy=/policy/policy.yaml", "--scope=pods,services", hostile}
	if got := pod.Containers[0].Args; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if kept := decoded[corev1.ConfigMap](t, objects, "ConfigMap r-wg-policy"); kept.Data["policy.yaml"] != hostile {
		t.Errorf("%q", kept.Data)
	}
}

// The dashboard and the alerts use the same metrics, and those exist.
func TestMonitoring(t *testing.T) {
	rules, err := os.ReadFile("acceptance/monitoring/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(rules, &parsed); err != nil || len(parsed.Groups) != 1 || len(parsed.Groups[0].Rules) != 3 {
		t.Fatal(err, parsed)
	}
	dashboard, err := os.ReadFile("acceptance/monitoring/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(dashboard) {
		t.Error("the dashboard is not valid JSON")
	}
	known := []string{
		"kubectl_wg_verify_verdict", "kubectl_wg_verify_ended_timestamp_seconds", "kubectl_wg_verify_directions",
		"kubectl_wg_verify_nodes", "kubectl_wg_verify_steps",
	}
	for _, metric := range regexp.MustCompile(`kubectl_wg_[a-z_]+`).FindAllString(string(rules)+string(dashboard), -1) {
		if !slices.Contains(known, metric) {
			t.Errorf("%s is not a metric of kubectl wg verify -o openmetrics", metric)
		}
	}
	for _, rule := range parsed.Groups[0].Rules {
		if rule.Expr == "" || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" {
			t.Errorf("%+v", rule)
		}
	}
}
