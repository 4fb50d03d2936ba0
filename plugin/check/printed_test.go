package check

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/printed"
	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/remedy"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// TestCommandsNameTheEvidence takes every finding of every recording and
// generated run, asks for its remedy on each system, and holds each command
// against its row of the table: what was filled in is one plain word, and is the
// name of something that the run's evidence has. plugin/remedy tests the rows.
func TestCommandsNameTheEvidence(t *testing.T) {
	systems := []string{remedy.K3s, remedy.RKE2, remedy.Flannel, ""}
	commands := 0
	for _, r := range append(evidenceOf(t), pairsOf(t)...) {
		known := newKnown(t, r.recording)
		for _, f := range Judge(r.recording).Findings {
			for _, system := range systems {
				hint, ok := remedy.For(f, system)
				if !ok {
					continue
				}
				for _, step := range hint.Steps {
					commands++
					if problem := known.step(f, step); problem != "" {
						t.Errorf("%s: %s %s: on %s: %s: %s", r.name, f.Code, f.Variant, step.On, step.Command, problem)
					}
				}
			}
		}
	}
	t.Logf("%d commands", commands)
	if commands < 100 {
		t.Errorf("only %d commands were printed", commands)
	}
}

// known is what the evidence of a run names.
type known struct {
	words map[string]bool
	nodes map[string]bool
	pods  []netip.Prefix
	kinds map[string][]string // of links
	rules map[int]bool        // of routing, by priority
}

func newKnown(t *testing.T, r *recording.Recording) known {
	k := known{words: map[string]bool{}, nodes: map[string]bool{}, kinds: map[string][]string{}, rules: map[int]bool{}}
	for _, stream := range r.Streams() {
		for _, m := range r.Messages(stream) {
			if m.Node != nil {
				k.nodes[m.Node.Name] = true
				k.pods = append(k.pods, m.Node.PodCIDRs...)
			}
			if m.Link != nil {
				k.kinds[m.Link.Name] = append(k.kinds[m.Link.Name], m.Link.Kind)
			}
			if m.Rule != nil {
				k.rules[m.Rule.Priority] = true
			}
			text, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			var value any
			if err := json.Unmarshal(text, &value); err != nil {
				t.Fatal(err)
			}
			k.add(value)
		}
	}
	return k
}

// add keeps all texts and numbers of a message.
func (k known) add(value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, inner := range v {
			k.add(inner)
		}
	case []any:
		for _, inner := range v {
			k.add(inner)
		}
	case string:
		k.words[v] = true
	case float64:
		k.words[strconv.FormatInt(int64(v), 10)] = true
	}
}

// step returns what is wrong with a printed step, empty if nothing is.
func (k known) step(f verdict.Finding, step remedy.Step) string {
	if !k.nodes[step.On] && step.On != remedy.Operator && step.On != remedy.EachNode && step.On != remedy.EachServer {
		return "the evidence has no node of this name"
	}
	problem := "no row of the table prints it"
	for _, entry := range remedy.Of(f.Code) {
		for _, row := range entry.Hint.Steps {
			facts, ok := factsOf(row.Command, step.Command)
			if !ok {
				continue
			}
			problem = k.facts(f.Code, row.Command, facts)
			for _, found := range printed.Command(step.Command) {
				if !slices.Contains(printed.Command(row.Command), found) {
					problem = found // by what was filled in
				}
			}
			if problem == "" {
				return ""
			}
		}
	}
	return problem
}

var placeholder = regexp.MustCompile(`\\\{([a-z]+)\\\}`)

// factsOf returns what stands in a command in the place of each {name} of its
// row, false if it was not made of that row. Facts are plain words.
func factsOf(row, command string) (map[string]string, bool) {
	quoted := regexp.QuoteMeta(row)
	const word = `([A-Za-z0-9._:/][A-Za-z0-9._:/-]*)`
	pattern := regexp.MustCompile("^" + placeholder.ReplaceAllString(quoted, word) + "$")
	found := pattern.FindStringSubmatch(command)
	if found == nil {
		return nil, false
	}
	facts := map[string]string{}
	for i, name := range placeholder.FindAllStringSubmatch(quoted, -1) {
		facts[name[1]] = found[i+1]
	}
	return facts, true
}

// facts returns which fact of a command the evidence does not have.
func (k known) facts(code, row string, facts map[string]string) string {
	for name, value := range facts {
		ok := k.words[value]
		switch name {
		case "node", "peer":
			ok = k.nodes[value]
		case "ip", "version", "end", "side":
			ok = slices.Contains([]string{"4", "6", "ip", "ip6", "saddr", "daddr", "source", "destination"}, value)
		case "iptables":
			name, kind, _ := strings.Cut(value, "-")
			ok = (name == "iptables" || name == "ip6tables") && (kind == "" || kind == "nft" || kind == "legacy")
		case "before": // the priority of a rule that is there, less one
			before, err := strconv.Atoi(value)
			ok = err == nil && k.rules[before+1]
		case "priority":
			priority, err := strconv.Atoi(value)
			ok = err == nil && k.rules[priority]
		case "range", "route", "here", "there":
			ok = k.ofPods(value) || code == "WG0501" && k.ofNode(value)
		case "link":
			ok = ok && (!strings.HasPrefix(row, "ip link delete") || k.madeHere(value))
		}
		if !ok {
			return name + " " + value + " is not in the evidence, or not of the pods"
		}
	}
	return ""
}

// ofPods reports whether a prefix is a part of a node's pod range, or one
// network of several of them: at least half as long in bits as a range.
func (k known) ofPods(text string) bool {
	prefix, err := netip.ParsePrefix(text)
	if address, single := netip.ParseAddr(text); single == nil {
		prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
	}
	return err == nil && slices.ContainsFunc(k.pods, func(pods netip.Prefix) bool {
		return pods.Overlaps(prefix) && 2*prefix.Bits() >= pods.Bits()
	})
}

// ofNode reports whether a prefix is one address of the evidence, such as a
// peer's endpoint.
func (k known) ofNode(text string) bool {
	prefix, err := netip.ParsePrefix(text)
	return err == nil && prefix.IsSingleIP() && k.words[prefix.Addr().String()]
}

// madeHere reports whether a link is one that a program made: not hardware, nor
// the veth that is a container's card.
func (k known) madeHere(link string) bool {
	return len(k.kinds[link]) > 0 && !slices.Contains(k.kinds[link], "") && !slices.Contains(k.kinds[link], "veth")
}

func TestFactsOfACommand(t *testing.T) {
	const row = "ip -{ip} route delete {route} dev {link}"
	facts, ok := factsOf(row, "ip -4 route delete 10.42.1.0/24 dev eth0")
	if !ok || facts["ip"] != "4" || facts["route"] != "10.42.1.0/24" || facts["link"] != "eth0" {
		t.Errorf("%v %v", facts, ok)
	}
	for _, command := range []string{
		"ip -4 route delete 10.42.1.0/24 dev eth0; reboot", "ip -4 route delete 10.42.1.0/24 dev $(reboot)",
		"ip -4 route delete -all dev eth0",
		"ip -4 route flush 10.42.1.0/24 dev eth0", "ip -4 route delete 10.42.1.0/24 dev eth0 x",
	} {
		if _, ok := factsOf(row, command); ok {
			t.Errorf("%q is taken for the row", command)
		}
	}
	k := known{
		words: map[string]bool{"eth0": true, "flannel.1": true},
		pods:  []netip.Prefix{netip.MustParsePrefix("10.42.1.0/24")},
		kinds: map[string][]string{"eth0": {"veth"}, "flannel.1": {"vxlan"}},
	}
	for route, want := range map[string]bool{
		"10.42.1.0/24": true, "10.42.1.128/25": true, "10.42.0.0/16": true, "10.42.1.7": true,
		"0.0.0.0/0": false, "10.0.0.0/8": false, "10.42.2.0/24": false, "192.0.2.0/24": false,
		"default": false, "::/0": false,
	} {
		if k.ofPods(route) != want {
			t.Errorf("%s: want %v", route, want)
		}
	}
	k.words["192.0.2.12"] = true
	for route, want := range map[string]bool{
		"192.0.2.12/32": true, "192.0.2.13/32": false, "192.0.2.0/24": false, "0.0.0.0/0": false,
	} {
		if got := k.facts("WG0501", "", map[string]string{"route": route}) == ""; got != want {
			t.Errorf("the route %s to an endpoint: %v, want %v", route, got, want)
		}
	}
	for link, want := range map[string]bool{"flannel.1": true, "eth0": false, "eth1": false} {
		if got := k.facts("WG0401", "ip link delete {link}", map[string]string{"link": link}) == ""; got != want {
			t.Errorf("deleting %s: %v, want %v", link, got, want)
		}
	}
}
