// Package manifests holds every object that `kubectl wg` ever creates, as YAML
// files to be reviewed, and fills in what differs between runs.
//
// The files are decoded into Kubernetes' own types and changed there; no text
// is pasted into YAML, so no name or image can break out of its field.
package manifests

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

//go:embed *.yaml
var files embed.FS

// The labels and annotations by which a run's objects are found again.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by"
	LabelRole      = "app.kubernetes.io/component" // "pod", "probe", "newcomer", "trial" or "logs"
	LabelRun       = "kubectl-wg.io/run"
	AnnotationNode = "kubectl-wg.io/node" // a node's name can be too long for a label
	ManagedBy      = "kubectl-wg"
)

// Container is the name of the one container in each pod.
const Container = "agent"

// Newcomer is the role of a test pod that is made late and gets no session.
const Newcomer = "newcomer"

// Trial is the role of a pod in which a WireGuard link is made and removed.
const Trial = "trial"

// Logs is the role of a pod that reads the logs of its node.
const Logs = "logs"

// RunLog is the folder of a host in which journald keeps files in memory.
const RunLog = "/run/log"

// newPodIdle is how long a new pod stays when it has sent all it has to.
const newPodIdle = 3 * time.Second

// SocketFolder is where a probe of the second pass finds the control sockets
// of userspace WireGuard programs (wgctrl's own default).
const SocketFolder = "/var/run/wireguard"

// Run is what all objects of one run share.
type Run struct {
	ID          string // random, a valid part of a name
	Namespace   string // where all Jobs go; empty for two namespaces of the run's own
	Image       string
	PullPolicy  corev1.PullPolicy // empty for the file's
	PullSecrets []string          // names of secrets in Namespace
	// Lifetime bounds each pod's life, whatever happens to the plugin.
	Lifetime time.Duration
	// Nodes and NewPods are on how many nodes the run makes pods and new pods.
	Nodes, NewPods int
	// Trials: each node gets a pod for a trial.
	Trials bool
	// Services: each test pod has a Service. ToNodes: the test pods send to nodes too.
	Services, ToNodes bool
	// Idle is how long a pod waits for its first or next session.
	Idle time.Duration
}

// Placing describes where one Job goes.
type Placing struct {
	Role  string // "pod", "probe", "newcomer", "trial" or "logs"
	Index int    // of the node
	Node  string // its name
	// Sockets is the host's folder of userspace control sockets for a probe
	// of the second pass, empty for the first.
	Sockets string
	// WithoutRunLog is for a second pod that reads logs, on a host that has no RunLog.
	WithoutRunLog bool
	// Arguments are those of `wg-probe newcomer`, which depend on the run.
	Arguments []string
	// Secrets are the variables whose values are in the run's Secret, see SecretObject.
	Secrets []string
}

// JobObject returns the Job for one role on one node.
func (r Run) JobObject(p Placing) (*batchv1.Job, error) {
	var job batchv1.Job
	role := p.Role
	if role == Newcomer {
		role = "pod" // another test pod, only later
	}
	if err := load(role+"-job.yaml", &job); err != nil {
		return nil, err
	}
	job.Namespace = r.NamespaceOf(p.Role)
	job.Name = r.jobName(p.Role, p.Index)
	lifetime := int64(r.Lifetime / time.Second)
	job.Spec.ActiveDeadlineSeconds = &lifetime
	for _, labels := range []map[string]string{job.Labels, job.Spec.Template.Labels} {
		labels[LabelRun] = r.ID
		labels[LabelRole] = p.Role
	}
	for _, annotations := range []map[string]string{job.Annotations, job.Spec.Template.Annotations} {
		annotations[AnnotationNode] = p.Node
	}
	pod := &job.Spec.Template.Spec
	terms := pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	terms[0].MatchFields[0].Values = []string{p.Node}
	for _, secret := range r.PullSecrets {
		pod.ImagePullSecrets = append(pod.ImagePullSecrets, corev1.LocalObjectReference{Name: secret})
	}
	agent := &pod.Containers[0]
	agent.Image = r.Image
	if r.PullPolicy != "" {
		agent.ImagePullPolicy = r.PullPolicy
	}
	idle := r.Idle
	if p.Role == Newcomer {
		agent.Command[len(agent.Command)-1] = Newcomer
		idle = newPodIdle
	}
	for _, name := range p.Secrets {
		agent.Env = append(agent.Env, r.secretValue(name))
	}
	agent.Command = append(agent.Command, "--deadline", strconv.FormatInt(lifetime, 10)+"s", "--idle", idle.String())
	agent.Command = append(agent.Command, p.Arguments...)
	if p.Sockets != "" {
		job.Name += "-2"
		shareSockets(pod, p.Sockets)
	}
	if p.WithoutRunLog {
		job.Name += "-2"
		omitRunLog(pod)
	}
	return &job, nil
}

// shareSockets lets the probe see the control sockets. The folder must be
// there: a hostPath without a type would make it.
func shareSockets(pod *corev1.PodSpec, folder string) {
	directory := corev1.HostPathDirectory
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "sockets", VolumeSource: corev1.VolumeSource{
		HostPath: &corev1.HostPathVolumeSource{Path: folder, Type: &directory},
	}})
	pod.Containers[0].VolumeMounts = append(pod.Containers[0].VolumeMounts, corev1.VolumeMount{
		Name: "sockets", MountPath: SocketFolder, ReadOnly: true,
	})
}

// omitRunLog takes the folder from a pod that reads logs.
func omitRunLog(pod *corev1.PodSpec) {
	name := ""
	pod.Volumes = slices.DeleteFunc(pod.Volumes, func(v corev1.Volume) bool {
		found := v.HostPath != nil && v.HostPath.Path == RunLog
		if found {
			name = v.Name
		}
		return found
	})
	agent := &pod.Containers[0]
	agent.VolumeMounts = slices.DeleteFunc(agent.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == name })
}

// OperatorRole returns the role to give to an operator who lacks a permission.
func OperatorRole() (*rbacv1.ClusterRole, error) {
	var role rbacv1.ClusterRole
	return &role, load("operator-role.yaml", &role)
}

// The operator's roles, see RoleFile.
const (
	RoleCluster    = "cluster"    // the run makes its own namespaces
	RoleNamespaced = "namespaced" // the run uses one namespace that exists
)

// RoleFile returns a role as its file has it, comments included, nil if there
// is none of that name.
func RoleFile(name string) []byte {
	file := map[string]string{RoleCluster: "operator-role.yaml", RoleNamespaced: "operator-role-namespaced.yaml"}[name]
	text, err := files.ReadFile(file)
	if err != nil {
		return nil
	}
	return text
}

// RoleIn returns the namespaced role for a namespace that exists, without the
// manifest of a namespace: labels of one that is used for something else are not
// to be changed.
func RoleIn(namespace string) []byte {
	text := string(RoleFile(RoleNamespaced))
	before, rest, _ := strings.Cut(text, "apiVersion: v1\nkind: Namespace\n")
	_, roles, _ := strings.Cut(rest, "---\n")
	named := strings.NewReplacer("--namespace kubectl-wg", "--namespace "+namespace, "-n kubectl-wg", "-n "+namespace,
		"namespace: kubectl-wg", "namespace: "+namespace)
	return []byte(named.Replace(before + roles))
}

func load(name string, into any) error {
	file, err := files.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading the manifest %s: %w", name, err)
	}
	if err := yaml.UnmarshalStrict(file, into); err != nil {
		return fmt.Errorf("reading the manifest %s: %w", name, err)
	}
	return nil
}
