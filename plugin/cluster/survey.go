package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// Selection is which nodes the operator wants tested; the zero value is all.
type Selection struct {
	Names    []string
	Selector labels.Selector // nil for none
	// Labels are the names of further node labels that the record is to hold.
	Labels []string
}

func (s Selection) has(n *corev1.Node) bool {
	return (len(s.Names) == 0 || slices.Contains(s.Names, n.Name)) &&
		(s.Selector == nil || s.Selector.Matches(labels.Set(n.Labels)))
}

// Survey is what is read from the API before anything is created.
type Survey struct {
	Cluster  evidence.Cluster
	Nodes    []evidence.Node // by name; those under test are numbered
	Problems []evidence.Problem
}

// UnknownNodes is the error for selected nodes that do not exist.
type UnknownNodes struct{ Names, Have []string }

func (e *UnknownNodes) Error() string {
	quoted := make([]string, len(e.Names))
	for i, name := range e.Names {
		quoted[i] = quote(name)
	}
	return "no such node: " + strings.Join(quoted, ", ")
}

// Hint names the nodes that exist.
func (e *UnknownNodes) Hint() string {
	have := e.Have
	if len(have) > 20 {
		have = append(slices.Clone(have[:20]), "…")
	}
	return "the cluster has: " + strings.Join(have, ", ")
}

// ExitCode is that of a usage error.
func (e *UnknownNodes) ExitCode() int { return 2 }

// TooFewSelected is the error for a selection of fewer than two nodes.
type TooFewSelected struct {
	Selection Selection
	Only      string // the one that is selected, empty if there is none
}

func (e *TooFewSelected) Error() string {
	by := fmt.Sprintf("--node-selector %s", e.Selection.Selector)
	if len(e.Selection.Names) > 0 {
		by = "--nodes together with " + by
	}
	if e.Only == "" {
		return "no node matches " + by
	}
	return fmt.Sprintf("only %s matches %s; a proof needs two nodes", e.Only, by)
}

// ExitCode is that of a usage error.
func (e *TooFewSelected) ExitCode() int { return 2 }

// enough returns TooFewSelected if a selector leaves fewer than two nodes,
// whatever their state.
func enough(selection Selection, nodes []corev1.Node) error {
	if selection.Selector == nil {
		return nil
	}
	var selected []string
	for i := range nodes {
		if selection.has(&nodes[i]) {
			selected = append(selected, nodes[i].Name)
		}
	}
	switch len(selected) {
	case 0:
		return &TooFewSelected{Selection: selection}
	case 1:
		return &TooFewSelected{Selection: selection, Only: selected[0]}
	}
	return nil
}

// Survey reads the nodes, the server's version and the CNI's configuration.
// Only the nodes are required; what else cannot be read is a Problem.
func (c *Client) Survey(ctx context.Context, selection Selection) (*Survey, error) {
	survey := &Survey{}
	var nodes []corev1.Node
	var configuration *configuration
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		nodes, err = c.nodes(gctx)
		return err
	})
	group.Go(func() error {
		var err error
		if survey.Cluster.Version, err = c.version(gctx); err != nil {
			survey.Problems = append(survey.Problems, problem(err, "version", ""))
		}
		return nil
	})
	group.Go(func() error {
		survey.Cluster.UID = c.uid(gctx)
		return nil
	})
	group.Go(func() error {
		survey.Cluster.User = Line(c.user(gctx))
		return nil
	})
	group.Go(func() error {
		configuration = c.configuration(gctx)
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := missing(selection.Names, nodes); err != nil {
		return nil, err
	}
	if err := enough(selection, nodes); err != nil {
		return nil, err
	}
	survey.Cluster.Distribution = distribution(survey.Cluster.Version, nodes)
	survey.Cluster.Objects = configuration.objects
	survey.Cluster.NodeLabels = labelNames(selection.Labels)
	survey.Problems = append(survey.Problems, configuration.problems...)
	survey.add(nodes, configuration, selection)
	return survey, nil
}

// add adds the nodes and numbers those under test.
func (s *Survey) add(nodes []corev1.Node, configuration *configuration, selection Selection) {
	configuration.withoutBlocks(nodes)
	index := 0
	for i := range nodes {
		about, problems := describe(&nodes[i], configuration.nodes[nodes[i].Name], s.Cluster.NodeLabels)
		about.Excluded, about.Chosen = excluded(&nodes[i], selection)
		about.Index = -1
		if about.Excluded == "" {
			about.Index = index
			index++
		}
		s.Nodes = append(s.Nodes, about)
		s.Problems = append(s.Problems, problems...)
	}
}

// NodeNames lists the names of all nodes, for completion.
func (c *Client) NodeNames(ctx context.Context) ([]string, error) {
	nodes, err := c.nodes(ctx)
	return names(nodes), err
}

// NamespaceNames lists the names of all namespaces, for completion.
func (c *Client) NamespaceNames(ctx context.Context) ([]string, error) {
	var names []string
	page := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return c.api.CoreV1().Namespaces().List(ctx, options)
	}
	_, err := c.list(ctx, "the namespaces", metav1.ListOptions{}, page, func(item runtime.Object) {
		names = append(names, item.(*corev1.Namespace).Name)
	})
	return names, err
}

func (c *Client) nodes(ctx context.Context) ([]corev1.Node, error) {
	var nodes []corev1.Node
	page := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return c.api.CoreV1().Nodes().List(ctx, options)
	}
	_, err := c.list(ctx, "the nodes", metav1.ListOptions{}, page, func(item runtime.Object) {
		nodes = append(nodes, *item.(*corev1.Node))
	})
	slices.SortFunc(nodes, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	return nodes, err
}

func (c *Client) version(ctx context.Context) (string, error) {
	info, err := discovery.ToServerVersionInterfaceWithContext(c.api.Discovery()).ServerVersionWithContext(ctx)
	if err != nil {
		return "", err
	}
	return info.GitVersion, nil
}

func missing(wanted []string, nodes []corev1.Node) error {
	have := names(nodes)
	var unknown []string
	for _, name := range wanted {
		if !slices.Contains(have, name) {
			unknown = append(unknown, name)
		}
	}
	if unknown == nil {
		return nil
	}
	return &UnknownNodes{Names: unknown, Have: have}
}

func names(nodes []corev1.Node) []string {
	all := make([]string, len(nodes))
	for i := range nodes {
		all[i] = nodes[i].Name
	}
	return all
}

// distribution recognises a distribution by its version strings.
func distribution(server string, nodes []corev1.Node) string {
	versions := []string{server}
	for i := range nodes {
		versions = append(versions, nodes[i].Status.NodeInfo.KubeletVersion)
	}
	for _, version := range versions {
		switch {
		case strings.Contains(version, "+k3s"):
			return "k3s"
		case strings.Contains(version, "+rke2"):
			return "rke2"
		}
	}
	return ""
}
