package command

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-wg/kubectl-wg/manifests"
	"github.com/kubectl-wg/kubectl-wg/plugin/cluster"
	"github.com/kubectl-wg/kubectl-wg/plugin/run"
)

// placementFlags say where pods are started, of which image, and for how long:
// those that all commands have which start some.
type placementFlags struct {
	nodes       []string
	selector    string
	image       string
	pullPolicy  string
	pullSecrets []string
	keep        bool
	timeout     time.Duration
}

var pullPolicies = []string{"Always", "IfNotPresent", "Never"}

// minTimeout is the least --timeout: pods alone take seconds to start.
const minTimeout = 5 * time.Second

// addPlacementFlags adds the flags to a command, whose --timeout has this usage.
func (r *root) addPlacementFlags(command *cobra.Command, f *placementFlags, timeout string) {
	flags := command.Flags()
	flags.StringSliceVar(&f.nodes, "nodes", nil, "nodes to test, by name (default all)")
	flags.StringVar(&f.selector, "node-selector", "", "nodes to test, by label")
	flags.StringVar(&f.image, "image", defaultImage(), "the probe's image")
	flags.StringVar(&f.pullPolicy, "image-pull-policy", "", "Always, IfNotPresent or Never (default IfNotPresent)")
	flags.StringSliceVar(&f.pullSecrets, "image-pull-secret", nil, "secrets for the image's registry, with --namespace")
	flags.BoolVar(&f.keep, "keep", false, "do not remove what was created")
	flags.DurationVar(&f.timeout, "timeout", 2*time.Minute, timeout)
	command.RegisterFlagCompletionFunc("nodes", r.completeNodes)
	completeWith(command, "image-pull-policy", pullPolicies...)
}

// placementOptions validates the flags and turns them into options.
func (r *root) placementOptions(f *placementFlags) (run.Options, error) {
	switch {
	case f.pullPolicy != "" && !slices.Contains(pullPolicies, f.pullPolicy):
		return run.Options{}, usagef("one of: "+strings.Join(pullPolicies, ", "),
			"invalid value %q for --image-pull-policy", f.pullPolicy)
	case f.timeout < minTimeout:
		return run.Options{}, usagef("the default, 2m, is enough for most clusters",
			"--timeout %s is too short, the minimum is %s", f.timeout, minTimeout)
	case f.image == "" || strings.ContainsAny(f.image, " \t\n"):
		return run.Options{}, usagef("e.g. "+defaultImage(), "--image %q is not a valid image", f.image)
	case len(f.pullSecrets) > 0 && *r.config.Namespace == "":
		return run.Options{}, usagef("name the namespace of the secret with --namespace",
			"--image-pull-secret needs --namespace")
	}
	f.nodes = cleanNames(f.nodes)
	o := run.Options{
		Selection: cluster.Selection{Names: f.nodes},
		Timeout:   f.timeout,
		Keep:      f.keep,
		Version:   version,
		Revision:  thisBuild().Commit,
		Log:       r.log(),
		Objects: manifests.Run{
			ID: run.NewID(), Namespace: *r.config.Namespace, Image: f.image,
			PullPolicy: corev1.PullPolicy(f.pullPolicy), PullSecrets: f.pullSecrets,
		},
	}
	if f.selector != "" {
		selector, err := labels.Parse(f.selector)
		if err != nil {
			return run.Options{}, usagef("e.g. node-role.kubernetes.io/worker=true", "--node-selector: %w", err)
		}
		o.Selection.Selector = selector
	}
	return o, nil
}

// cleanNames returns names without blanks and repetitions.
func cleanNames(names []string) (clean []string) {
	for _, name := range names {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(clean, name) {
			clean = append(clean, name)
		}
	}
	return clean
}
