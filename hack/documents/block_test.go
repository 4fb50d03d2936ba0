package main

import (
	"reflect"
	"testing"
)

func TestBlocks(t *testing.T) {
	const text = "text\n```sh\n# a comment\nkubectl wg verify   # all\n\na \\\n  b\n```\n```\nnot shell\n```\n```json\n{}\n```\n```sh\nc\n```\n"
	want := [][]line{{{4, "kubectl wg verify   # all"}, {6, "a b"}}, {{16, "c"}}}
	if got := blocks(text); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestReason(t *testing.T) {
	for command, want := range map[string]string{
		"kubectl wg verify --nodes node1,node2   # THESE": "",
		"kubectl wg verify -q && echo encrypted":          "",
		"jq -r '.causes[] | PLACE' report.json":           "",
		"zcat evidence.gz | kubectl wg replay -":          "",
		"kubectl wg capture -w - | wireshark -k -i -":     "needs wireshark",
		"helm install wg":                                 "needs helm",
		"version=$(make x)":                               "needs make",
		"kubectl krew install wg":                         "needs krew's index: make krew installs without",
		"kubectl wg verify --image registry.example/x":    "has a placeholder, .example",
		"kubectl create secret --username=NAME":           "has a placeholder, NAME",
	} {
		if got := (line{command: command}).reason(); got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
}

func TestGoesOn(t *testing.T) {
	for command, want := range map[string]bool{
		"kubectl wg capture": true, "kubectl wg capture a -w x --duration 1m": false, "kubectl wg logs": false,
		"kubectl wg logs -f": true, "kubectl wg logs --follow": false, "kubectl wg status --watch": true,
		"kubectl wg status -o dump": false, "kubectl wg verify": false,
	} {
		if got := (line{command: command}).goesOn(); got != want {
			t.Errorf("%s: %v", command, got)
		}
	}
}
