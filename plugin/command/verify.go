package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// verifyFlags are as they were typed.
type verifyFlags struct {
	nodes          []string
	selector       string
	pairs          string
	family         string
	image          string
	pullPolicy     string
	pullSecrets    []string
	record         string
	keep           bool
	printManifests bool
	printImages    bool
	printRole      string
	timeout        time.Duration
	format         *genericclioptions.PrintFlags
	failOn         string
	newPods        int
	buffer         int
}

func (r *root) verify() *cobra.Command {
	var f verifyFlags
	command := &cobra.Command{
		Use:   "verify",
		Short: "Prove that pod traffic between nodes is encrypted",
		Long: `Start a test pod and a probe on each node, send marked traffic between all pairs
of test pods and watch every network card: a pass means that the traffic arrived,
that it was seen as WireGuard ciphertext, and that it was seen nowhere in clear.

Everything that is created is removed again. See it first with --print-manifests.

Exit code: 0 verified, 1 not verified, 2 usage, 3 inconclusive, 4 could not run.`,
		Example: `  kubectl wg verify
  kubectl wg verify --nodes node1,node2 --record evidence.ndjson
  kubectl wg verify -o json --fail-on warn
  kubectl wg verify -o jsonpath='{.firstCause.code}'

  # A quick look at a large cluster: each node sends to the next, or to 8 others.
  # The verdict says which pairs it is of, and never speaks for the rest.
  kubectl wg verify --pairs ring
  kubectl wg verify --pairs 8`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			write, err := r.writerFor(f.format)
			if err != nil {
				return err
			}
			options, err := r.verifyOptions(f)
			if err != nil {
				return err
			}
			return r.runVerify(command.Context(), f, options, write)
		},
	}
	flags := command.Flags()
	flags.StringSliceVar(&f.nodes, "nodes", nil, "nodes to test, by name (default all)")
	flags.StringVar(&f.selector, "node-selector", "", "nodes to test, by label")
	flags.StringVar(&f.pairs, "pairs", "all", "ordered pairs of nodes to test: all, ring (each node to the next), or to how many others each node sends")
	flags.StringVar(&f.family, "family", "", "address families to test: 4, 6 or all (default those the pods have)")
	flags.StringVar(&f.image, "image", defaultImage(), "the probe's image")
	flags.StringVar(&f.pullPolicy, "image-pull-policy", "", "Always, IfNotPresent or Never (default IfNotPresent)")
	flags.StringSliceVar(&f.pullSecrets, "image-pull-secret", nil, "secrets for the image's registry, with --namespace")
	flags.StringVar(&f.record, "record", "", "keep the evidence in this `file`, for kubectl wg replay")
	flags.BoolVar(&f.keep, "keep", false, "do not remove what was created")
	flags.BoolVar(&f.printManifests, "print-manifests", false, "print what would be created and end")
	flags.BoolVar(&f.printImages, "print-images", false, "print the images that nodes must be able to pull and end")
	flags.StringVar(&f.printRole, "print-role", "", "print the `role` that an operator needs and end: cluster, or namespaced")
	flags.Lookup("print-role").NoOptDefVal = manifests.RoleCluster
	flags.DurationVar(&f.timeout, "timeout", 2*time.Minute, "limit for the whole run; judging has some seconds in any case")
	f.format = addFormatFlags(command)
	flags.IntVar(&f.newPods, "new-pods", 8, "on how many nodes to watch the first packets of a new pod, 0 for none")
	flags.StringVar(&f.failOn, "fail-on", "fail", "what makes the exit code 1: fail, or warn for warnings too")
	flags.IntVar(&f.buffer, "capture-buffer", 0, "receive buffer of each capture in bytes")
	flags.MarkHidden("capture-buffer") // to show that a capture which loses frames is no proof
	command.RegisterFlagCompletionFunc("nodes", r.completeNodes)
	command.RegisterFlagCompletionFunc("pairs", cobra.FixedCompletions([]string{"all", "ring"}, cobra.ShellCompDirectiveNoFileComp))
	command.RegisterFlagCompletionFunc("family", cobra.FixedCompletions([]string{"4", "6", "all"}, cobra.ShellCompDirectiveNoFileComp))
	command.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions([]string{"fail", "warn"}, cobra.ShellCompDirectiveNoFileComp))
	command.RegisterFlagCompletionFunc("image-pull-policy", cobra.FixedCompletions(pullPolicies, cobra.ShellCompDirectiveNoFileComp))
	return command
}

// maxNewPods bounds --new-pods: the record of a run names them all in one message.
const maxNewPods = 64

var pullPolicies = []string{"Always", "IfNotPresent", "Never"}

// verifyOptions checks the flags and turns them into options.
func (r *root) verifyOptions(f verifyFlags) (o run.Options, err error) {
	wrong := func(hint, format string, args ...any) (run.Options, error) {
		return run.Options{}, usageError(fmt.Errorf(format, args...), hint)
	}
	_, pairsError := verdict.Ask(f.pairs, "", 2)
	families, known := map[string][]int{"": nil, "4": {4}, "6": {6}, "all": {4, 6}}[f.family]
	switch {
	case !known:
		return wrong("it is 4, 6 or all", "--family %s is no address family", f.family)
	case pairsError != nil:
		return wrong("all, ring, or to how many others each node sends, e.g. 8", "--pairs: %w", pairsError)
	case f.failOn != "fail" && f.failOn != "warn":
		return wrong("it is fail or warn", "--fail-on %s is not known", f.failOn)
	case f.pullPolicy != "" && !slices.Contains(pullPolicies, f.pullPolicy):
		return wrong("one of: "+strings.Join(pullPolicies, ", "), "--image-pull-policy %s is not known", f.pullPolicy)
	case f.timeout < 5*time.Second:
		return wrong("pods alone take seconds to start", "--timeout %s is too short", f.timeout)
	case f.image == "" || strings.ContainsAny(f.image, " \t\n"):
		return wrong("e.g. "+defaultImage(), "--image %q is no image", f.image)
	case len(f.pullSecrets) > 0 && *r.config.Namespace == "":
		return wrong("name the namespace that holds it with --namespace", "--image-pull-secret needs a namespace that has the secret")
	case f.printRole != "" && manifests.RoleFile(f.printRole) == nil:
		return wrong("it is cluster or namespaced", "--print-role=%s is not known", f.printRole)
	case f.newPods < 0 || f.newPods > maxNewPods:
		return wrong("", "--new-pods %d is not 0 to %d", f.newPods, maxNewPods)
	case f.buffer < 0:
		return wrong("", "--capture-buffer is negative")
	}
	o.Selection.Names = f.nodes
	if f.selector != "" {
		if o.Selection.Selector, err = labels.Parse(f.selector); err != nil {
			return wrong("e.g. node-role.kubernetes.io/worker=true", "--node-selector: %w", err)
		}
	}
	if f.record != "" {
		if about, err := os.Stat(filepath.Dir(f.record)); err != nil || !about.IsDir() {
			return wrong("make it first", "--record: there is no folder %s", filepath.Dir(f.record))
		}
	}
	o.Pairs = f.pairs
	o.Families, o.Timeout, o.Keep, o.Buffer, o.NewPods, o.Version = families, f.timeout, f.keep, f.buffer, f.newPods, version
	o.Objects = manifests.Run{
		ID: run.NewID(), Namespace: *r.config.Namespace, Image: f.image,
		PullPolicy: corev1.PullPolicy(f.pullPolicy), PullSecrets: f.pullSecrets,
	}
	o.Log = r.log()
	return o, nil
}

func (r *root) runVerify(ctx context.Context, f verifyFlags, o run.Options, write writer) error {
	switch {
	case f.printImages:
		_, err := fmt.Fprintln(r.streams.Out, f.image)
		return err
	case f.printRole != "":
		_, err := r.streams.Out.Write(manifests.RoleFile(f.printRole))
		return err
	}
	var err error
	if o.Cluster, err = r.connect(); err != nil {
		return err
	}
	if f.printManifests {
		return r.printManifests(ctx, o)
	}
	if !o.Keep {
		r.interrupts.Left(cluster.CleanupCommand(o.Objects))
		defer r.interrupts.Left("")
		o.Removed = func() { r.interrupts.Left("") }
	}
	progress := r.progress()
	defer progress.stop()
	o.Progress = progress
	if f.record != "" {
		o.Record = func(recording *evidence.Recording) error { return keepRecording(f.record, recording) }
	}
	ends := outcome(exitVerified)
	o.Report = func(j *check.Judgement) error {
		progress.pause()
		ends = outcome(exitCode(j.Result, f.failOn))
		return r.write(write, j)
	}
	err = run.Verify(ctx, o)
	progress.pause()
	switch {
	case err != nil && ends != exitVerified:
		return &after{ends, err} // the verdict stands, whatever happened after it
	case err != nil:
		return err
	case ends != exitVerified:
		return ends
	}
	return nil
}

func exitCode(result *verdict.Result, failOn string) int {
	code := result.ExitCode()
	warned := slices.ContainsFunc(result.Findings, func(f verdict.Finding) bool { return f.Status == verdict.Warn })
	if code == exitVerified && failOn == "warn" && warned {
		return exitNotVerified
	}
	return code
}

func (r *root) completeNodes(command *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	client, err := r.connect()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	ctx, cancel := context.WithTimeoutCause(command.Context(), 3*time.Second, errors.New("completion takes too long"))
	defer cancel()
	names, err := client.NodeNames(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	// A list: complete what stands behind the last comma.
	done := typed[:strings.LastIndexByte(typed, ',')+1]
	for i := range names {
		names[i] = done + names[i]
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// connect returns a client for the cluster that kubectl's own flags name.
func (r *root) connect() (*cluster.Client, error) {
	config, err := r.config.ToRESTConfig()
	if err != nil {
		return nil, &noConnection{err}
	}
	return cluster.Connect(config, "kubectl-wg/"+version, r.log())
}

// noConnection is the error for a cluster that is not configured.
type noConnection struct{ err error }

func (e *noConnection) Error() string { return "finding the cluster: " + e.err.Error() }
func (e *noConnection) Unwrap() error { return e.err }

// Hint names kubectl's ways to say which cluster.
func (e *noConnection) Hint() string {
	return "set KUBECONFIG, or use --kubeconfig and --context as with kubectl"
}
