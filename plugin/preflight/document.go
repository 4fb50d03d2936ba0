package preflight

import (
	"encoding/json"
	"fmt"
	"io"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// APIVersion and Kind name the document.
const (
	APIVersion = "kubectl-wg.io/v2"
	Kind       = "Preflight"
)

// document is the result as data: what -o json and -o yaml print. Fields are added,
// never renamed.
type document struct {
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

func (r *Result) document() document {
	c := r.Graph.Cluster
	d := document{
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

// JSON writes the result as a document.
func (r *Result) JSON(w io.Writer) error {
	text, err := json.MarshalIndent(r.document(), "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// YAML writes the same document as YAML.
func (r *Result) YAML(w io.Writer) error {
	text, err := yaml.Marshal(r.document())
	if err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	_, err = w.Write(text)
	return err
}
