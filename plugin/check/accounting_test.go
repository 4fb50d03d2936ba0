package check

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/recording"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// note is what the report says of a step of the pair node-1 → node-2.
func note(t *testing.T, j *Judgement, step verdict.Proof) string {
	t.Helper()
	for _, p := range j.Pairs {
		if p.Node == "node-1" && p.Peer == "node-2" {
			return p.Notes[step]
		}
	}
	t.Fatal("the pair was not judged")
	return ""
}

// What a network does to ciphertext is noted, and no failure.
func TestNotes(t *testing.T) {
	for _, row := range []struct {
		name  string
		step  verdict.Proof
		words string
	}{
		{"a canary was lost and sent again", verdict.P2InTunnel, "; 1 of 11 lost after encryption"},
		{"a canary was lost before the tunnel", verdict.P2InTunnel, "; 1 of 4 UDP test packets lost before it"},
		{"the network repeats datagrams", verdict.P4Ciphertext, "; 3 data messages duplicated by the network"},
		{"datagrams that are no WireGuard messages", verdict.P4Ciphertext,
			"; 100000 datagrams from the endpoint of node-1 are not valid WireGuard messages"},
	} {
		t.Run(row.name, func(t *testing.T) {
			streams := healthy(3)
			for _, b := range brokenCounts {
				if b.name == row.name {
					b.breaks(streams)
				}
			}
			j := Judge(record(t, streams))
			if got := note(t, j, row.step); j.Verdict != verdict.Passed || !strings.Contains(got, row.words) {
				t.Errorf("verdict %s, %s: %q", j.Verdict, row.step, got)
			}
		})
	}
}

// Malformed datagrams are a warning and nothing more.
func TestMalformedWarns(t *testing.T) {
	streams := healthy(2)
	ofLeaving(func(f *evidence.Flow) { f.Malformed = 1 })(streams)
	warned := 0
	for _, f := range Judge(record(t, streams)).Findings {
		if f.Code == "WG0602" && f.Status == verdict.Warn {
			warned++
		}
	}
	if warned != 1 {
		t.Errorf("%d warnings", warned)
	}
}

// Minor version 0 did not count answers apart: they stand in for canaries
// there, and no number of them does from minor version 1 on.
func TestMinorZeroCountsTogether(t *testing.T) {
	for minor, want := range map[int]verdict.Verdict{0: verdict.Passed, 1: verdict.Failed} {
		streams := healthy(2)
		each(streams[evidence.PluginStream], func(m *evidence.Message) {
			if m.Run != nil {
				run := *m.Run
				run.Minor = minor
				m.Run = &run
			}
		})
		between1and2(func(s *evidence.Seen) { s.UDPAnswers, s.TCPAnswers, s.ICMPAnswers = s.UDP, s.TCP, s.ICMP })(
			streams)
		if j := Judge(record(t, streams)); j.Verdict != want {
			t.Errorf("minor %d: %s: %v", minor, j.Verdict, bad(j))
		}
	}
}

// In a recording of minor version 0 what arrived must have been seen too.
func TestRecordedAccounts(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*evidence.Seen)
		want   verdict.Verdict
	}{
		{"half of the UDP was seen", func(s *evidence.Seen) { s.UDP /= 2 }, verdict.Failed},
		{"no TCP was seen", func(s *evidence.Seen) { s.TCP = 0 }, verdict.Failed},
		{"no ICMP was seen", func(s *evidence.Seen) { s.ICMP = 0 }, verdict.Failed},
		{"one first packet was seen", func(s *evidence.Seen) { s.First = min(s.First, 1) }, verdict.Undecided},
	} {
		t.Run(test.name, func(t *testing.T) {
			whole, changed := load(t, "host-healthy-first-packets"), recording.New()
			for _, stream := range whole.Streams() {
				for _, m := range whole.Messages(stream) {
					eachSeen(m, test.change)
					changed.Add(m)
				}
			}
			if j := Judge(changed); j.Verdict != test.want {
				t.Errorf("verdict %s", j.Verdict)
			}
		})
	}
}

func eachSeen(m *evidence.Message, change func(*evidence.Seen)) {
	if m.Witness == nil {
		return
	}
	for i := range m.Witness.Seen {
		change(&m.Witness.Seen[i])
	}
	for i := range m.Witness.Alike {
		alike := &m.Witness.Alike[i]
		s := evidence.Seen{UDP: alike.UDP, TCP: alike.TCP, ICMP: alike.ICMP, First: alike.First}
		change(&s)
		alike.UDP, alike.TCP, alike.ICMP, alike.First = s.UDP, s.TCP, s.ICMP, s.First
	}
}

// Property: a pair that is proven to be in the tunnel had all that arrived, of
// each transport and kind, seen at both ends, whatever the counts are.
func TestProvenIsAccountedFor(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	few := func() uint32 { return random.Uint32N(4) }
	verdicts := map[bool]int{}
	for range 400 {
		streams := healthy(2)
		rows := map[string][]evidence.CanaryRow{}
		for _, pod := range []string{"pod/node-1", "pod/node-2"} {
			each(streams[pod], func(m *evidence.Message) {
				if m.Canary == nil {
					return
				}
				for i := range m.Canary.Rows {
					row := &m.Canary.Rows[i]
					row.Sent = 3
					row.Answered = 1 + random.Uint32N(2)
					if row.Transport != "icmp" {
						row.Received = 1 + random.Uint32N(3)
					}
				}
				rows[pod] = m.Canary.Rows
			})
		}
		var ends [2]evidence.Seen
		for i, at := range [][2]string{{"node-1", "tx"}, {"node-2", "rx"}} {
			seenBy(streams, at[0], at[1], 0, 1, func(s *evidence.Seen) {
				s.UDPAnswers, s.TCPAnswers, s.ICMPAnswers = 5+few(), 1+few(), 1+few()
				s.UDP, s.TCP, s.ICMP = s.UDPAnswers+6+few(), s.TCPAnswers+few(), s.ICMPAnswers+1+few()
				ends[i] = *s
			})
		}
		j := Judge(record(t, streams))
		proven := false
		for _, p := range j.Pairs {
			proven = proven || p.Node == "node-1" && p.Steps[verdict.P2InTunnel] == verdict.Pass
		}
		sender, receiver := rows["pod/node-1"], rows["pod/node-2"]
		holds := countsAgree(&ends[0], sender, receiver) && countsAgree(&ends[1], sender, receiver)
		if proven != holds {
			t.Fatalf("proven %v, counts agree %v: %+v of %+v and %+v", proven, holds, ends, sender, receiver)
		}
		verdicts[proven]++
	}
	if verdicts[true] < 20 || verdicts[false] < 20 {
		t.Errorf("the generator tries too little: %v", verdicts)
	}
}

// countsAgree compares what one end saw with what the pods know, without the judge.
func countsAgree(seen *evidence.Seen, sender, receiver []evidence.CanaryRow) bool {
	arrived := map[string]uint32{}
	for _, row := range receiver {
		arrived[row.Transport] += row.Received
		arrived[row.Transport+" answers"] += row.Answered
	}
	for _, row := range sender {
		if row.Transport == "icmp" {
			arrived["icmp"] += row.Answered
		}
	}
	return seen.UDP-seen.UDPAnswers >= arrived["udp"] && seen.UDPAnswers >= arrived["udp answers"] &&
		seen.TCP-seen.TCPAnswers >= arrived["tcp"] && seen.TCPAnswers >= arrived["tcp answers"] &&
		seen.ICMP-seen.ICMPAnswers >= arrived["icmp"] && seen.ICMPAnswers >= arrived["icmp answers"]
}
