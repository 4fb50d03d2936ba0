package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	batch "k8s.io/api/batch/v1"
	rbac "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Cluster is a hollow lab as it is measured.
type Cluster struct {
	Nodes    int
	Admin    string         // kubeconfig
	Operator string         // kubeconfig of the user who verifies and has no rights yet
	User     string         // that user's name
	Audit    string         // the API server's log of that user's requests, of which there were none before
	PIDs     map[string]int // of its processes, by role
}

// Attempt is one run of verify or status that is to be measured.
type Attempt struct {
	Verify    string   // path of kubectl-wg
	Command   string   // verify or status
	Args      []string // of that command
	MaxMemory int64    // bytes that the plugin may have resident before it is ended, so that the machine survives
	MaxTime   time.Duration
}

// Scale is what one run cost.
type Scale struct {
	Nodes    int
	Output   []byte // the report
	Log      []byte
	Exit     int
	Stopped  string        // why the run was ended from outside; empty if it was not
	Verdict  string        // what the exit code says; empty if that is none
	Ready    time.Duration // until the same pods are Ready without the plugin
	Wall     time.Duration
	Phases   []Phase
	Peak     int64                    // most memory resident in the plugin, bytes
	Requests map[string]int           // of the plugin, by verb and resource
	CPU      map[string]time.Duration // of all processes during the run, by role; the plugin's is "plugin"
	Gone     time.Duration            // from the plugin's end until its namespace was gone
	Left     []string                 // what was left then
	Most     int                      // sessions open at a time
}

// Run starts the same pods without the plugin, for comparison; grants the operator the plugin's own role, lets the
// operator run the command, and looks for what is left.
func (c Cluster) Run(ctx context.Context, attempt Attempt) (result Scale, err error) {
	client, err := connect(c.Admin)
	if err != nil {
		return result, err
	}
	if err := c.grant(ctx, client, attempt.Verify); err != nil {
		return result, err
	}
	ready, err := c.bare(ctx, client, attempt)
	if err != nil {
		return result, err
	}
	before, err := c.census(ctx, client)
	if err != nil {
		return result, err
	}
	used, err := processorTimes(c.PIDs)
	if err != nil {
		return result, err
	}

	if result, err = c.attempt(ctx, attempt); err != nil {
		return result, err
	}

	result.Ready = ready
	after, err := processorTimes(c.PIDs)
	if err != nil {
		return result, err
	}
	for role, time := range after {
		result.CPU[role] = time - used[role]
	}
	ended := time.Now()
	if result.Stopped == "" {
		if err := allGone(ctx, client); err != nil {
			result.Left = append(result.Left, err.Error())
		}
		result.Gone = time.Since(ended)
	}
	left, err := c.left(ctx, client, before)
	if err != nil {
		return result, err
	}
	result.Left = append(result.Left, left.things...)
	result.Most = left.census.Most
	log, err := os.Open(c.Audit)
	if err != nil {
		return result, fmt.Errorf("opening the audit log: %w", err)
	}
	defer log.Close()
	result.Requests, err = requests(log)
	return result, err
}

func connect(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS = -1 // the server is the limit
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return client, nil
}

// bare starts the pods of a run as directly as can be, and removes them.
func (c Cluster) bare(ctx context.Context, client kubernetes.Interface, attempt Attempt) (ready time.Duration, err error) {
	command := exec.CommandContext(ctx, attempt.Verify, "verify", "--print-manifests")
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Admin)
	printed, err := command.Output()
	if err != nil {
		return 0, fmt.Errorf("asking for the manifests: %w", err)
	}
	all, err := parse(printed)
	if err != nil {
		return 0, err
	}
	if attempt.Command == "status" { // it needs no test pods
		all.jobs = slices.DeleteFunc(all.jobs, func(job batch.Job) bool { return job.Labels[component] != "probe" })
	}
	ready, _, err = bare(ctx, client, all)
	return ready, err
}

// grant gives the operator the role that the plugin prints, and nothing else.
func (c Cluster) grant(ctx context.Context, client kubernetes.Interface, verify string) error {
	text, err := exec.CommandContext(ctx, verify, "verify", "--print-role").Output()
	if err != nil {
		return fmt.Errorf("asking for the role of an operator: %w", err)
	}
	var role rbac.ClusterRole
	if err := yaml.Unmarshal(text, &role); err != nil {
		return fmt.Errorf("reading the role of an operator: %w", err)
	}
	binding := &rbac.ClusterRoleBinding{
		ObjectMeta: meta.ObjectMeta{Name: role.Name},
		RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbac.Subject{{APIGroup: rbac.GroupName, Kind: rbac.UserKind, Name: c.User}},
	}
	if _, err := client.RbacV1().ClusterRoles().Create(ctx, &role, meta.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating the role of the operator: %w", err)
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(ctx, binding, meta.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("granting the role of the operator: %w", err)
	}
	return nil
}

// verdicts are those of exit codes.
var verdicts = map[int]string{0: "PASS", 1: "FAIL", 3: "INCONCLUSIVE"}

// attempt runs the command, with its own log.
func (c Cluster) attempt(ctx context.Context, attempt Attempt) (result Scale, err error) {
	var out, log bytes.Buffer
	command := exec.CommandContext(ctx, attempt.Verify, append([]string{attempt.Command, "--log"}, attempt.Args...)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Operator)
	command.Stdout, command.Stderr = &out, &log
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = time.Minute
	result = Scale{Nodes: c.Nodes, CPU: map[string]time.Duration{}}
	began := time.Now()
	if err := command.Start(); err != nil {
		return result, fmt.Errorf("starting %s: %w", attempt.Command, err)
	}
	ended := make(chan struct{})
	watched := make(chan string, 1)
	go func() { watched <- guard(command.Process, attempt.MaxMemory, attempt.MaxTime, ended) }()
	err = command.Wait()
	close(ended)
	result.Wall, result.Stopped = time.Since(began), <-watched
	result.Output, result.Log = out.Bytes(), log.Bytes()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return result, errors.Join(fmt.Errorf("%s: %w\n%s", attempt.Command, err, log.Bytes()), context.Cause(ctx))
	}
	if ctx.Err() != nil {
		return result, context.Cause(ctx)
	}
	result.Exit = command.ProcessState.ExitCode()
	result.Verdict = verdicts[result.Exit]
	result.Peak = maxResident(command.ProcessState)
	result.CPU["plugin"] = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	// A run that was ended reports the phases until then, or of none.
	result.Phases, err = phases(result.Log)
	if result.Stopped != "" {
		err = nil
	}
	return result, err
}
