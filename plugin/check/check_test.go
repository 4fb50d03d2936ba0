package check

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func TestHealthyPasses(t *testing.T) {
	j := Judge(record(t, healthy(3)))
	if j.Verdict != verdict.Passed {
		t.Fatalf("verdict %s: %+v", j.Verdict, bad(j))
	}
	if len(j.Pairs) != 6 {
		t.Errorf("%d pairs, want 6", len(j.Pairs))
	}
	for _, p := range j.Pairs {
		for _, proof := range verdict.Proofs {
			if p.Steps[proof.Step] != verdict.Pass || p.Notes[proof.Step] == "" {
				t.Errorf("%s %s: %s %q", p.Subject, proof.Step, p.Steps[proof.Step], p.Notes[proof.Step])
			}
		}
	}
}

// TestBroken judges the rows of broken.
func TestBroken(t *testing.T) {
	for _, test := range broken {
		t.Run(test.name, func(t *testing.T) {
			streams := healthy(3)
			test.breaks(streams)
			j := Judge(record(t, streams))
			if j.Verdict != test.verdict {
				t.Fatalf("verdict %s, want %s: %v", j.Verdict, test.verdict, bad(j))
			}
			if test.cause == "" && j.FirstCause == nil {
				return
			}
			if j.FirstCause == nil || j.FirstCause.Code != test.cause {
				t.Errorf("first cause %+v, want %s\n%s", j.FirstCause, test.cause, strings.Join(bad(j), "\n"))
			}
		})
	}
}

// The table is causal: a check can only come after checks above it, every code
// is there once, and each has what explain prints.
func TestTable(t *testing.T) {
	above := map[string]bool{}
	for _, c := range rows {
		if above[c.Code] {
			t.Errorf("%s stands twice", c.Code)
		}
		for _, after := range c.After {
			if !above[after] {
				t.Errorf("%s comes after %s, which does not stand above it", c.Code, after)
			}
		}
		if c.Title == "" || c.Why == "" || c.Reads == "" {
			t.Errorf("%s lacks a title, a reason or what it reads", c.Code)
		}
		judges := 0
		for _, set := range []bool{c.cluster != nil, c.node != nil, c.family != nil, c.edge != nil} {
			if set {
				judges++
			}
		}
		if judges != 1 {
			t.Errorf("%s is judged by %d functions", c.Code, judges)
		}
		above[c.Code] = true
	}
}

func bad(j *Judgement) []string {
	var lines []string
	for _, f := range j.Findings {
		if f.Status == verdict.Fail || f.Status == verdict.Inconclusive {
			lines = append(lines,
				f.Code+" "+f.Status.String()+" "+f.Subject.String()+": "+f.Text+" <- "+f.CausedBy.Code)
		}
	}
	return lines
}

func each(messages []evidence.Message, change func(*evidence.Message)) {
	for i := range messages {
		change(&messages[i])
	}
}

func count(messages []evidence.Message, peer int, change func(*evidence.Count)) {
	each(messages, func(m *evidence.Message) {
		if m.Count != nil && m.Count.PublicKey == publicKey(peer) {
			change(m.Count)
		}
	})
}

func capture(messages []evidence.Message, link string, change func(*evidence.Capture)) {
	each(messages, func(m *evidence.Message) {
		if m.Capture != nil && m.Capture.Link == link {
			change(m.Capture)
		}
	})
}

// undelivered makes the canaries between node-1 and node-2 go unanswered.
func undelivered(s map[string][]evidence.Message) {
	lost(s, 0, 1)
	lost(s, 1, 0)
}

// lost makes what one pod sends another go unanswered, and what it is sent by it unheard.
func lost(s map[string][]evidence.Message, at, peer int) {
	each(s[fmt.Sprintf("pod/node-%d", at+1)], func(m *evidence.Message) {
		if m.Canary != nil && m.Canary.Peer == peer {
			for i := range m.Canary.Rows {
				m.Canary.Rows[i].Answered, m.Canary.Rows[i].Received = 0, 0
			}
		}
	})
}

// route replaces the kernel's answer for an address.
func route(messages []evidence.Message, answer evidence.Route) {
	each(messages, func(m *evidence.Message) {
		if m.Route != nil && m.Route.For == answer.For {
			m.Route = &answer
		}
	})
}

// entry is one of a routing table.
func entry(destination, link, kind string, table int) evidence.Message {
	return evidence.Message{
		Route: &evidence.Route{Destination: netip.MustParsePrefix(destination), Link: link, Type: kind, Table: table},
	}
}
