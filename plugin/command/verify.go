package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/graph"
	"github.com/kubectl-wg/kubectl-wg/plugin/policy"
	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// verifyFlags are the flags as they were typed.
type verifyFlags struct {
	placementFlags
	pairs          string
	family         string
	scope          []string
	record         string
	printManifests bool
	printImages    bool
	printRole      string
	format         *genericclioptions.PrintFlags
	failOn         string
	newPods        int
	buffer         int
	resultFlags
	policyFile string
	policy     *policy.Policy // in policyFile, nil without one
}

func (r *root) verify() *cobra.Command {
	var f verifyFlags
	command := &cobra.Command{
		Use:        "verify",
		SuggestFor: []string{"check", "test", "run", "prove", "start", "audit", "scan", "doctor"},
		Short:      "Prove that pod traffic between nodes is encrypted",
		Long: `Start a test pod and a probe on each node, send marked traffic between all pairs
of test pods and capture on every network interface. PASS means that the traffic
arrived, that it was seen as WireGuard ciphertext, and that it was seen nowhere
in clear.

Everything that is created is removed again; --print-manifests shows it first.
Nodes that are cordoned or tainted are tested too, since pods run on them.

Exit code: 0 verified, 1 not encrypted or a check failed, 2 usage,
3 inconclusive, 4 could not run or could not write. If interrupted, 128 plus the
signal's number: 130 for Ctrl-C, 143 for SIGTERM.`,
		Example: `  kubectl wg verify
  kubectl wg verify --nodes node1,node2 --record evidence.ndjson
  kubectl wg verify --node-selector topology.kubernetes.io/zone=a
  kubectl wg verify -o json --fail-on warn
  kubectl wg verify -o jsonpath='{.firstCause.code}'

  # In a large cluster over several runs: the part that is due, and a ledger of
  # what was proven when. The report stays in the cluster, with an event about it.
  kubectl wg verify --part next/8 --ledger wg-ledger --report-configmap wg-report

  # For people: one page, and a comment of a pull request. For a pipeline: its own
  # list of failed tests next to the report, and the evidence.
  kubectl wg verify -o html > report.html
  kubectl wg verify -o markdown --junit-file junit.xml --record evidence.ndjson.gz

  # Accept the cluster by your own policy, with waivers that expire.
  kubectl wg verify --policy policy.yaml

  # Without Internet: an image of your own registry, or one that the nodes have.
  kubectl wg verify --image registry.example/wg-probe:v1
  kubectl wg verify --image-pull-policy Never

  # In a namespace that exists, without the right to create one.
  kubectl wg verify --namespace kubectl-wg

  # In a large cluster, faster: each node sends to the next one, or to 8 others.
  # The verdict names the tested pairs and claims nothing about the others.
  kubectl wg verify --pairs ring
  kubectl wg verify --pairs 8

  # Not only pods: what is sent to Services, to the nodes themselves and to the
  # cluster's DNS: encrypted, in clear by the network's design, or a leak.
  kubectl wg verify --scope pods,services,hosts,dns`,
		Args: noNodes,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := emptyFlag(command); err != nil {
				return err
			}
			write, err := r.writerFor(f.format, f.failOn)
			if err != nil {
				return err
			}
			if report.NeedsRecording(r.format) && f.record == "" {
				return &report.NoRecording{Format: r.format}
			}
			options, err := r.verifyOptions(f)
			if err != nil {
				return err
			}
			if f.policy, err = readPolicy(f.policyFile); err != nil {
				return err
			}
			options.Selection.Labels = f.policy.Labels()
			return r.runVerify(command.Context(), f, options, write)
		},
	}
	flags := command.Flags()
	r.addPlacementFlags(command, &f.placementFlags, "limit for the run; judging has some seconds in any case")
	flags.StringVar(&f.pairs, "pairs", "all",
		"directions between nodes to test: all, ring (each node to the next), or to how many others each node sends")
	flags.StringVar(&f.family, "family", "", "address families to test: 4, 6 or all (default those the pods have)")
	flags.StringSliceVar(&f.scope, "scope", []string{evidence.ScopePods}, "what to test: pods, and also services "+
		"(cluster addresses and node ports), hosts (pods and nodes to nodes), dns (pods to the cluster's DNS), "+
		"ended (pods to pods that have ended)")
	flags.StringVar(&f.record, "record", "", "write the evidence to this `file`, for kubectl wg replay; "+
		"compressed if it ends with .gz")
	flags.BoolVar(&f.printManifests, "print-manifests", false, "print what would be created and exit")
	flags.BoolVar(&f.printImages, "print-images", false, "print the images that nodes must be able to pull and exit")
	flags.StringVar(&f.printRole, "print-role", "", "print the `role` for an operator and exit: cluster or namespaced "+
		"(with --namespace the role for that one), "+
		"and what --scope, --report-configmap, --ledger and --policy-report need")
	flags.Lookup("print-role").NoOptDefVal = roleByNamespace
	f.format = r.addFormatFlags(command)
	flags.IntVar(&f.newPods, "new-pods", 8, "on how many nodes to capture the first packets of a new pod, 0 for none")
	flags.StringVar(&f.failOn, "fail-on", "fail", failOnUsage)
	flags.StringVar(&f.policyFile, "policy", "", policyUsage)
	addResultFlags(command, &f.resultFlags)
	flags.IntVar(&f.buffer, "capture-buffer", 0, "receive buffer of each capture in bytes")
	flags.MarkHidden("capture-buffer") // for tests: a capture that loses frames proves nothing
	completeWith(command, "pairs", "all", "ring")
	completeWith(command, "family", "4", "6", "all")
	completeWith(command, "scope", scopes...)
	completeWith(command, "fail-on", "fail", "warn")
	return command
}

// maxNewPods bounds --new-pods: a run's record names them all in one message.
const maxNewPods = 64

// families are the values of --family.
var families = map[string][]int{"": nil, "4": {4}, "6": {6}, "all": {4, 6}}

// scopes are the values of --scope. Pods are always tested.
var scopes = []string{evidence.ScopePods, evidence.ScopeServices, evidence.ScopeHosts, evidence.ScopeDNS, evidence.ScopeEnded}

// beyondPods returns what --scope names besides pods, in the order of scopes.
func (f *verifyFlags) beyondPods() (some []string) {
	for _, scope := range scopes[1:] {
		if slices.Contains(f.scope, scope) {
			some = append(some, scope)
		}
	}
	return some
}

// validate returns a usage error for the first flag whose value is not valid.
func (r *root) validate(f *verifyFlags) error {
	_, knownFamily := families[f.family]
	_, pairsError := graph.NewPairs(f.pairs, "", 2)
	switch {
	case !knownFamily:
		return usagef("one of: 4, 6, all", "invalid value %q for --family", f.family)
	case pairsError != nil:
		return usagef("all, ring, or to how many others each node sends, e.g. 8", "--pairs: %w", pairsError)
	case slices.ContainsFunc(f.scope, func(scope string) bool { return !slices.Contains(scopes, scope) }):
		return usagef("one or more of: "+strings.Join(scopes, ","), "invalid value %q for --scope",
			strings.Join(f.scope, ","))
	case f.printRole != "" && r.role(f.printRole) == nil:
		return usagef("one of: cluster, namespaced", "invalid value %q for --print-role", f.printRole)
	case f.newPods == 0 && slices.Contains(f.scope, evidence.ScopeEnded):
		return usagef("omit --new-pods, or give it a value above 0", "--scope %s needs new pods", evidence.ScopeEnded)
	case f.newPods < 0 || f.newPods > maxNewPods:
		return usagef("", "--new-pods %d is not between 0 and %d", f.newPods, maxNewPods)
	case f.buffer < 0:
		return usagef("", "--capture-buffer is negative")
	}
	if err := errors.Join(validFailOn(f.failOn), f.resultFlags.validate(f.pairs)); err != nil {
		return err
	}
	if len(f.nodes) == 1 {
		return usagef("name another node, or omit --nodes to test all",
			"--nodes names only %s; a proof needs two nodes", f.nodes[0])
	}
	return writable("record", f.record)
}

// noNodes refuses arguments, which are likely to be nodes.
func noNodes(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	names := strings.Join(args, ",")
	if len(args) == 1 {
		names += ",NODE"
	}
	return usagef("to test only some nodes: kubectl wg verify --nodes "+names, "verify takes no arguments: %q", args[0])
}

// validNamespace reports whether a name can be one of a namespace, or is empty.
func validNamespace(name string) bool { return name == "" || len(validation.IsDNS1123Label(name)) == 0 }

// roleByNamespace is the value of --print-role without one.
const roleByNamespace = "auto"

// role returns the manifest that --print-role names, nil if there is none.
func (r *root) role(name string) []byte {
	namespace := *r.config.Namespace
	switch {
	case name == roleByNamespace && namespace == "":
		name = manifests.RoleCluster
	case name == roleByNamespace:
		name = manifests.RoleNamespaced
	}
	if name == manifests.RoleNamespaced && namespace != "" {
		return manifests.RoleIn(namespace)
	}
	return manifests.RoleFile(name)
}

// writeRole prints what --print-role names, with the permissions that other flags need.
func (r *root) writeRole(f *verifyFlags) error {
	role := r.role(f.printRole)
	if slices.Contains(f.scope, evidence.ScopeServices) {
		role = manifests.WithServices(role)
	}
	namespaced := f.printRole == manifests.RoleNamespaced || f.printRole == roleByNamespace && *r.config.Namespace != ""
	if namespaced && slices.Contains(f.scope, evidence.ScopeDNS) {
		role = append(role, manifests.DNSRole...)
	}
	results, err := r.resultsRoles(&f.resultFlags)
	if err != nil {
		return err
	}
	role = slices.Concat(role, results, manifests.PolicyReportRole(cmp.Or(f.policyReport, r.format)))
	_, err = r.streams.Out.Write(role)
	return err
}

// verifyOptions validates the flags and turns them into options.
func (r *root) verifyOptions(f verifyFlags) (run.Options, error) {
	o, err := r.placementOptions(&f.placementFlags)
	if err != nil {
		return run.Options{}, err
	}
	if err := r.validate(&f); err != nil {
		return run.Options{}, err
	}
	o.Pairs = f.pairs
	o.Families = families[f.family]
	o.Scope = f.beyondPods()
	o.NewPods = f.newPods
	o.Buffer = f.buffer
	return o, nil
}

func (r *root) runVerify(ctx context.Context, f verifyFlags, o run.Options, write writer) error {
	switch {
	case f.printImages:
		_, err := fmt.Fprintln(r.streams.Out, f.image)
		return err
	case f.printRole != "":
		return r.writeRole(&f)
	}
	client, err := r.connect()
	if err != nil {
		return err
	}
	o.Cluster = client
	o.Context, o.Server = r.identity()
	if f.printManifests {
		return r.printManifests(ctx, o)
	}
	kept, err := r.results(ctx, f.resultFlags, &o)
	if err != nil {
		return err
	}
	return kept.failed(ctx, r.verifyCluster(ctx, f, o, write, kept))
}

// verifyCluster makes one run and ends with the code of its verdict.
func (r *root) verifyCluster(ctx context.Context, f verifyFlags, o run.Options, write writer, kept *results) error {
	progress, end := r.begin(&o)
	defer end()

	// Open: survey the cluster, place the pods. Collect: they send and watch.
	verification, failed := run.Open(ctx, o)
	if failed == nil {
		failed = verification.Collect(ctx)
	}

	// The evidence is kept first, so that neither a failure nor a second
	// interrupt loses it.
	evidence := verification.Evidence()
	notRecorded := r.record(f.record, evidence, progress)

	// Whatever happened, what was made is removed. It comes before judging:
	// evidence from a node is not to be trusted, and must not keep anything alive
	// in the cluster.
	left := verification.Close(ctx)
	if left == nil {
		r.interrupts.Left("")
	}
	afterwards := errors.Join(left, notRecorded)
	if failed != nil {
		return errors.Join(interruption(failed, verification, left, o.Keep), afterwards)
	}

	// The verdict stands, whatever happens after it.
	judgement, err := verification.Judge(ctx, evidence)
	if err != nil {
		return errors.Join(interruption(err, verification, left, o.Keep), afterwards)
	}
	progress.pause()
	judgeBy(f.policy, judgement)
	failOnWarn := f.failOn == failOnWarn
	code, _ := judgement.Exit(failOnWarn)
	notKept := kept.keep(ctx, judgement, evidence, failOnWarn, progress)
	return ends(code, errors.Join(r.write(write, judgement), notKept, afterwards))
}

// ends returns the error that ends the program with a verdict's exit code,
// whatever else went wrong after it; nil for verified and nothing wrong.
func ends(code int, err error) error {
	switch {
	case code == exitVerified:
		return err
	case err == nil:
		return outcome(code)
	}
	return &after{outcome(code), err}
}

// connect returns a client for the cluster that kubectl's own flags name.
func (r *root) connect() (*cluster.Client, error) {
	config, err := r.config.ToRESTConfig()
	switch {
	case err == nil:
		err = r.configured(config.Host)
	case errors.Is(err, os.ErrNotExist) && *r.config.KubeConfig != "":
		err = fmt.Errorf("no kubeconfig was found at %s", *r.config.KubeConfig)
	}
	var client *cluster.Client
	if err == nil {
		client, err = cluster.Connect(config, "kubectl-wg/"+version, r.log())
	}
	if err != nil {
		return nil, &noConnection{err, *r.config.Context != ""}
	}
	return client, nil
}

// configured returns an error if no kubeconfig was found, so that the server is
// only kubectl's default: that there is none on this machine is not the point.
func (r *root) configured(server string) error {
	loader := r.config.ToRawKubeConfigLoader()
	raw, err := loader.RawConfig()
	chosen := *r.config.APIServer != "" || len(raw.Clusters) > 0 || !strings.HasSuffix(server, "localhost:8080")
	if err != nil || chosen {
		return err
	}
	var missing []string
	for _, path := range loader.ConfigAccess().GetLoadingPrecedence() {
		if _, err := os.Stat(path); err != nil {
			missing = append(missing, path)
		}
	}
	if len(missing) == 0 {
		return errors.New("the kubeconfig names no cluster")
	}
	return fmt.Errorf("no kubeconfig was found at %s", strings.Join(missing, ", "))
}

// noConnection is the error for a cluster that is not configured.
type noConnection struct {
	err   error
	named bool // a context was named
}

func (e *noConnection) Error() string { return "finding the cluster: " + e.err.Error() }
func (e *noConnection) Unwrap() error { return e.err }

// Hint names kubectl's ways to select a cluster.
func (e *noConnection) Hint() string {
	if e.named {
		return "kubectl config get-contexts lists the contexts; set KUBECONFIG or use --kubeconfig for those of another file"
	}
	return "set KUBECONFIG, or use --kubeconfig and --context as with kubectl"
}
