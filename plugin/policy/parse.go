package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxSize is how large the file of a policy can be, in bytes.
const MaxSize = 256 << 10

// maxProblems is how many problems of a file are reported.
const maxProblems = 20

// Invalid is the error for a file that is not a valid policy.
type Invalid struct{ Problems []string } // each with its line

func (e *Invalid) Error() string { return strings.Join(e.Problems, "\n  ") }

// Hint names how to get a valid one.
func (e *Invalid) Hint() string {
	return "kubectl wg policy init writes a policy to begin with, kubectl wg policy schema what is valid"
}

// Parse reads a policy from YAML or JSON. A field that is not known, a value that
// is not valid and anything that makes a file read otherwise than it looks, such
// as an alias, is an error: *Invalid, which names all of them with their lines.
func Parse(text []byte) (*Policy, error) {
	if len(text) > MaxSize {
		return nil, &Invalid{[]string{fmt.Sprintf("it has %d bytes, at most %d are read", len(text), MaxSize)}}
	}
	tree, err := parseTree(text)
	if err != nil {
		return nil, err
	}
	p := &Policy{}
	strict := yaml.NewDecoder(bytes.NewReader(text))
	strict.KnownFields(true)
	if err := strict.Decode(p); err != nil {
		return nil, invalid(err)
	}
	if problems := p.complete(tree); len(problems) > 0 {
		return nil, &Invalid{problems[:min(len(problems), maxProblems)]}
	}
	digest := sha256.Sum256(text)
	p.sha256 = hex.EncodeToString(digest[:])
	return p, nil
}

// parseTree reads the one document of a file. Aliases are not followed.
func parseTree(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	err := decoder.Decode(&document)
	switch {
	case errors.Is(err, io.EOF):
		return nil, &Invalid{[]string{"it is empty"}}
	case err != nil:
		return nil, invalid(err)
	}
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, invalid(err)
	default:
		return nil, &Invalid{[]string{fmt.Sprintf("line %d: it has more than one document", second.Line)}}
	}
	if problems := indirect(&document, nil); len(problems) > 0 {
		return nil, &Invalid{problems[:min(len(problems), maxProblems)]}
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, &Invalid{[]string{fmt.Sprintf("line %d: it is not a policy but a single value", root.Line)}}
	}
	return root, nil
}

// indirect collects what makes a document read otherwise than it looks.
func indirect(n *yaml.Node, problems []string) []string {
	what := ""
	switch {
	case n.Kind == yaml.AliasNode:
		what = "an alias"
	case n.Anchor != "":
		what = "an anchor"
	case n.Tag == "!!merge":
		what = "a merge key"
	case n.Style&yaml.TaggedStyle != 0:
		what = "a tag"
	}
	if what != "" {
		problems = append(problems, fmt.Sprintf("line %d: %s is not valid here", n.Line, what))
	}
	for _, child := range n.Content {
		problems = indirect(child, problems)
	}
	return problems
}

// invalid rewrites an error of the YAML decoder for people who have not written
// this program.
func invalid(err error) error {
	var mistyped *yaml.TypeError
	if !errors.As(err, &mistyped) {
		return &Invalid{[]string{strings.TrimPrefix(err.Error(), "yaml: ")}}
	}
	var problems []string
	for _, text := range mistyped.Errors[:min(len(mistyped.Errors), maxProblems)] {
		text, _, _ = strings.Cut(text, " in type ")
		text = strings.Replace(text, "cannot unmarshal ", "", 1)
		for from, to := range typeNames {
			text = strings.Replace(text, from, to, 1)
		}
		problems = append(problems, text)
	}
	return &Invalid{problems}
}

// typeNames are what the decoder says of types, in a reader's words.
var typeNames = map[string]string{
	"!!str ": "", "!!int ": "", "!!float ": "", "!!bool ": "", "!!null ": "", "!!timestamp ": "",
	"!!seq": "a list", "!!map": "a mapping", " not found": " is not known",
	" into bool": " is not true or false", " into int": " is not a number", " into string": " is not a text",
	" into []string": " is not a list of texts", " into []int": " is not a list of numbers",
	" into []policy.NodeSet": " is not a list of node sets", " into []policy.Waiver": " is not a list of waivers",
	" into policy.": " is not a mapping for ",
}

// lineOf is the line of a field, as far as the path of names and indexes leads to
// one: a field that is missing has the line of what it is missing in.
func lineOf(n *yaml.Node, path ...any) int {
	for _, step := range path {
		next := child(n, step)
		if next == nil {
			break
		}
		n = next
	}
	return n.Line
}

func child(n *yaml.Node, step any) *yaml.Node {
	switch step := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return n.Content[step]
		}
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1]
			}
		}
	}
	return nil
}
