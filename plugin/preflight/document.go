package preflight

import (
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// APIVersion and Kind name the document.
const (
	APIVersion = "kubectl-wg.io/v2"
	Kind       = "Preflight"
)

// Document is the result as data: what -o json and -o yaml print. Fields are added,
// never renamed.
type Document struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Verdict    Verdict           `json:"verdict"`
	ExitCode   int               `json:"exitCode"`
	Summary    string            `json:"summary"`
	Cluster    clusterOf         `json:"cluster"`
	Network    networkOf         `json:"network"`
	Nodes      []Node            `json:"nodes"`
	LeftOut    []leftOut         `json:"leftOut,omitempty"`
	Sizes      Sizes             `json:"sizes"`
	Pairs      []Pair            `json:"pairs"`
	Findings   []findingOf       `json:"findings"`
	Plan       Plan              `json:"plan"`
	Advice     []verdict.Finding `json:"advice,omitempty"`
}

type clusterOf struct {
	Context string `json:"context,omitempty"`
	Server  string `json:"server,omitempty"`
	Version string `json:"version,omitempty"` // of the API server
}

type networkOf struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Backend  string `json:"backend,omitempty"`
	Encrypts bool   `json:"encrypts"`
}

type leftOut struct {
	Node     string `json:"node"`
	Why      string `json:"why"`
	NotReady string `json:"notReady,omitempty"` // the reason of its condition
}

type findingOf struct {
	verdict.Finding
	Alike []verdict.Subject `json:"alike,omitempty"`
	Fix   *remedy.Hint      `json:"fix,omitempty"`
}

// Document returns the result as data.
func (r *Result) Document() Document {
	c := r.Graph.Cluster
	d := Document{
		APIVersion: APIVersion, Kind: Kind,
		Verdict: r.Verdict, ExitCode: r.Verdict.ExitCode(), Summary: r.summary(),
		Cluster: clusterOf{Context: c.Context, Server: c.Server, Version: c.Version},
		Network: networkOf{
			Name: r.Profile.Name, Title: r.Profile.Title, Backend: r.Profile.Backend, Encrypts: r.Profile.Encrypts,
		},
		Nodes: r.Nodes, Sizes: r.Sizes, Pairs: append([]Pair{}, r.Pairs...),
		Findings: []findingOf{}, Plan: r.Plan, Advice: r.Advice,
	}
	for _, n := range r.Graph.Excluded {
		d.LeftOut = append(d.LeftOut, leftOut{n.Name, n.Excluded, n.NotReady})
	}
	for _, f := range r.Findings {
		d.Findings = append(d.Findings, findingOf(f))
	}
	return d
}
