// Package policy is the acceptance policy of a platform team: what must be true
// of a cluster besides the verdict, and which exceptions are granted until when.
// It reads a policy, judges a judgement by it, and writes a first one. It is pure:
// the time that counts is that of the run, so a replay accepts what the run did.
//
// A policy changes no verdict, and none accepts a leak.
package policy

import (
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// The version and kind of the files that Parse reads.
const (
	APIVersion = "policy.kubectl-wg.io/v1"
	Kind       = "Policy"
)

// Policy is an acceptance policy. Parse makes one.
type Policy struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Name       string   `yaml:"name"`
	Require    Require  `yaml:"require"`
	Warnings   Warnings `yaml:"warnings"`
	Waivers    []Waiver `yaml:"waivers"`

	sha256  string
	granted []verdict.Waiver // Waivers, as they are reported
}

// Require is what must be true besides the verdict. What is left out is not
// required.
type Require struct {
	Families []int     `yaml:"families"` // 4, 6: must be tested
	Nodes    []NodeSet `yaml:"nodes"`
	// KernelImplementation: no node carries pod traffic by userspace WireGuard.
	KernelImplementation bool `yaml:"kernelImplementation"`
	// PresharedKeys: every peer that carries pod traffic has one.
	PresharedKeys bool   `yaml:"presharedKeys"`
	MinimumKernel string `yaml:"minimumKernel"` // e.g. "5.10"
	// MaximumHandshakeAge is that of the last handshake of each peer at the end of
	// the run, e.g. 3m.
	MaximumHandshakeAge string `yaml:"maximumHandshakeAge"`

	kernel release
	age    time.Duration
}

// NodeSet is nodes between which all directions must be tested: All of them,
// those of these Names, or those whose labels a Selector matches.
type NodeSet struct {
	Name     string   `yaml:"name"`
	All      bool     `yaml:"all"`
	Names    []string `yaml:"names"`
	Selector string   `yaml:"selector"`
	// Pairs is "all", or "tested" for those that the run chose: then every node of
	// the set must have taken part.
	Pairs string `yaml:"pairs"`

	selector labels.Selector // nil without one
}

// Warnings says which warnings count as failures.
type Warnings struct {
	Fail []string `yaml:"fail"` // codes, or only "all"
}

// Waiver is an exception, for one check or one requirement.
type Waiver struct {
	Code        string `yaml:"code"`
	Requirement string `yaml:"requirement"`
	Node        string `yaml:"node"`
	Peer        string `yaml:"peer"`
	Reason      string `yaml:"reason"`
	Owner       string `yaml:"owner"`
	// Expires is a day, the last on which the waiver is valid (UTC), or a time as
	// RFC 3339 writes it, from which on it is not.
	Expires string `yaml:"expires"`
}

// The requirements, as a policy and its waivers name them.
const (
	families             = "families"
	nodes                = "nodes"
	kernelImplementation = "kernelImplementation"
	presharedKeys        = "presharedKeys"
	minimumKernel        = "minimumKernel"
	maximumHandshakeAge  = "maximumHandshakeAge"
	warnings             = "warnings"
	waivers              = "waivers" // each is valid; nothing can be waived of that
	theVerdict           = "verdict"
)

// waivable are the requirements that a waiver can name.
var waivable = []string{families, nodes, kernelImplementation, presharedKeys, minimumKernel, maximumHandshakeAge}

// Labels returns the names of the labels that the policy selects nodes by, each
// once, in order. A recording has to hold them. Of no policy there are none.
func (p *Policy) Labels() []string {
	if p == nil {
		return nil
	}
	return labelsOf(p.Require.Nodes)
}
