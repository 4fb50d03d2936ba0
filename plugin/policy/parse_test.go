package policy

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

const head = "apiVersion: policy.kubectl-wg.io/v1\nkind: Policy\nname: test\n"

func TestParse(t *testing.T) {
	text, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if p.Require.age != 3*time.Minute || p.Require.kernel != (release{5, 10, 0}) || len(p.granted) != 2 || len(p.sha256) != 64 {
		t.Errorf("%+v", p)
	}
	if got := strings.Join(p.Labels(), " "); got != "topology.kubernetes.io/zone" {
		t.Errorf("labels %s", got)
	}
	// A day is valid to its end, a time up to it.
	if got := p.granted[0].Expires; !got.Equal(time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)) {
		t.Error(got)
	}
	if got := p.granted[1].Expires; !got.Equal(time.Date(2027, 1, 31, 11, 0, 0, 0, time.UTC)) {
		t.Error(got)
	}
}

// What is not valid is named with its line, and nothing of it is read.
func TestNotValid(t *testing.T) {
	const good = "{code: WG0102, reason: r, owner: o, expires: 2027-01-31}"
	for name, test := range map[string]struct{ text, want string }{
		"empty":             {"", "it is empty"},
		"only a comment":    {"# nothing\n", "it is empty"},
		"a list":            {"- a\n", "line 1: it is not a policy"},
		"no YAML":           {"a: [\n", "line 1: did not find expected"},
		"two documents":     {head + "---\n" + head, "line 4: it has more than one document"},
		"another version":   {"apiVersion: v9\nkind: Policy\nname: test\n", `line 1: apiVersion: it is "v9", this version reads policy.kubectl-wg.io/v1`},
		"another kind":      {"apiVersion: policy.kubectl-wg.io/v1\nkind: Pod\nname: test\n", `line 2: kind: it is "Pod"`},
		"no name":           {"apiVersion: policy.kubectl-wg.io/v1\nkind: Policy\n", "line 1: name: it is missing"},
		"unknown field":     {head + "requires: {}\n", "line 4: field requires is not known"},
		"unknown inside":    {head + "require:\n  psk: true\n", "line 5: field psk is not known"},
		"twice":             {head + "name: m\n", "already defined at line 3"},
		"a word for a bool": {head + "require: {presharedKeys: maybe}\n", "line 4: `maybe` is not true or false"},
		"a text for a list": {head + "require: {families: all}\n", "line 4: `all` is not a list of numbers"},
		"family":            {head + "require:\n  families:\n  - 5\n", "line 6: require.families[0]: valid are 4 and 6"},
		"family twice":      {head + "require: {families: [4, 4]}\n", "require.families[1]"},
		"kernel":            {head + "require: {minimumKernel: new}\n", "line 4: require.minimumKernel: \"new\" is not a valid version"},
		"kernel, a number":  {head + "require: {minimumKernel: 5.10}\n", `put the version in quotes: "5.10"`},
		"age":               {head + "require: {maximumHandshakeAge: 3}\n", "is not a valid duration"},
		"age below zero":    {head + "require: {maximumHandshakeAge: -3m}\n", "is not a valid duration"},
		"set of nothing":    {head + "require: {nodes: [{name: s}]}\n", "require.nodes[0]: it needs one of"},
		"set in two ways":   {head + "require: {nodes: [{name: s, all: true, names: [a]}]}\n", "it needs one of"},
		"set without name":  {head + "require: {nodes: [{all: true}]}\n", "require.nodes[0].name: it is missing"},
		"selector":          {head + "require: {nodes: [{name: s, selector: '=='}]}\n", "require.nodes[0].selector"},
		"pairs":             {head + "require: {nodes: [{name: s, all: true, pairs: ring}]}\n", "one of: all, tested"},
		"labels": {head + "require: {nodes: [{name: s, selector: 'a,b,c,d,e,f,g,h,i'}]}\n",
			"selects by 9 labels, at most 8"},
		"warning":            {head + "warnings: {fail: [WG9999]}\n", "warnings.fail[0]: there is no check \"WG9999\""},
		"all and one":        {head + "warnings: {fail: [all, WG0701]}\n", `there is no check "all"`},
		"waiver of nothing":  {head + "waivers: [{reason: r, owner: o, expires: 2027-01-31}]\n", "it needs a code or a requirement"},
		"waiver of both":     {head + "waivers: [{code: WG0102, requirement: nodes, reason: r, owner: o, expires: 2027-01-31}]\n", "and not both"},
		"unknown code":       {head + "waivers:\n- " + strings.Replace(good, "WG0102", "WG01", 1) + "\n", "line 5: waivers[0].code: there is no check"},
		"requirement":        {head + "waivers: [{requirement: x, reason: r, owner: o, expires: 2027-01-31}]\n", "waivers[0].requirement: \"x\" is not valid"},
		"no reason":          {head + "waivers: [{code: WG0102, owner: o, expires: 2027-01-31}]\n", "waivers[0].reason: it is missing"},
		"blank owner":        {head + "waivers: [{code: WG0102, reason: r, owner: '  ', expires: 2027-01-31}]\n", "waivers[0].owner: it is missing"},
		"no expiry":          {head + "waivers: [{code: WG0102, reason: r, owner: o}]\n", `waivers[0].expires: "" is not a valid day`},
		"never expires":      {head + "waivers: [{code: WG0102, reason: r, owner: o, expires: never}]\n", "is not a valid day"},
		"peer alone":         {head + "waivers: [{code: WG0102, peer: p, reason: r, owner: o, expires: 2027-01-31}]\n", "waivers[0].peer: it needs a node too"},
		"alias":              {head + "waivers: [&a " + good + ", *a]\n", "line 4: an alias is not valid here"},
		"merge":              {head + "require: {<<: {presharedKeys: true}}\n", "line 4: a merge key is not valid here"},
		"tag":                {head + "require: !x {presharedKeys: true}\n", "line 4: a tag is not valid here"},
		"too large":          {head + "#" + strings.Repeat("x", MaxSize), "at most 262144 are read"},
		"a long reason":      {head + "waivers: [{code: WG0102, reason: " + strings.Repeat("x", 501) + ", owner: o, expires: 2027-01-31}]\n", "at most 500"},
		"too many":           {head + "waivers: [" + strings.Repeat(good+",", 501) + "]\n", "line 4: waivers: it has 501, at most 500"},
		"deep":               {head + "require: " + strings.Repeat("[", 20000), "exceeded max depth"},
		"not of UTF-8":       {head + "require: \xff\n", "UTF-8"},
		"a number for texts": {head + "require: {nodes: [{name: s, names: 3}]}\n", "`3` is not a list of texts"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Parse([]byte(test.text))
			var invalid *Invalid
			if !errors.As(err, &invalid) || p != nil || invalid.Hint() == "" {
				t.Fatalf("%+v, %v", p, err)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, want %q", err, test.want)
			}
			if len(invalid.Problems) > maxProblems {
				t.Errorf("%d problems", len(invalid.Problems))
			}
		})
	}
}

// Whatever a file holds, it is read or refused, and what is read can be judged by.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(head + "waivers: [&a {code: WG0102}, *a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err == nil && (p.Name == "" || len(p.granted) != len(p.Waivers)) {
			t.Errorf("%+v", p)
		}
	})
}
