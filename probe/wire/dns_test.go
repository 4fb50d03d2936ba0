package wire

import (
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

func testQuestion(t testing.TB, change func([]byte)) []byte {
	t.Helper()
	header, err := Marked{
		Kind: KindClass, Family: 4, Transport: TransportUDP, Class: evidence.ClassDNS.Number(), Target: 1, Sequence: 7,
	}.Payload(MarkedSize, testMark, testKey)
	if err != nil {
		t.Fatal(err)
	}
	message, err := Question(7, header, "cluster.local")
	if err != nil {
		t.Fatal(err)
	}
	change(message)
	return message
}

func unchanged([]byte) {}

// refuse makes a question the answer that repeats it.
func refuse(message []byte) { message[2], message[3] = message[2]|0x80, 5 }

// Another implementation reads the message as one question, with nothing behind it.
func TestQuestion(t *testing.T) {
	var dns layers.DNS
	if err := dns.DecodeFromBytes(testQuestion(t, unchanged), gopacket.NilDecodeFeedback); err != nil {
		t.Fatal(err)
	}
	if len(dns.Questions) != 1 || dns.ID != 7 || dns.QR || dns.RD || dns.ANCount+dns.NSCount+dns.ARCount != 0 {
		t.Fatalf("%+v", dns)
	}
	q := dns.Questions[0]
	m, ok := ParseMarked(q.Name, testMark, testKey)
	if !ok || m.Sequence != 7 || q.Type != layers.DNSTypeTXT || q.Class != layers.DNSClassIN ||
		!strings.HasSuffix(string(q.Name), ".cluster.local") {
		t.Errorf("%+v, %v, %v, %q", m, q.Type, q.Class, q.Name)
	}
	if _, err := Question(7, make([]byte, MarkedSize+1), "cluster.local"); err == nil {
		t.Error("a name that is no header was taken")
	}
	for _, domain := range []string{
		"", ".", "a..b", strings.Repeat("a", 64), strings.Repeat("abcdefghi.", 21),
	} {
		if _, err := Question(7, make([]byte, MarkedSize), domain); err == nil {
			t.Errorf("%q was taken for a domain", domain)
		}
	}
}

// An answer is one only if it says so and repeats the question where it belongs.
func TestQuestioned(t *testing.T) {
	for name, test := range map[string]struct {
		b    []byte
		want bool
	}{
		"an answer":        {testQuestion(t, refuse), true},
		"a question":       {testQuestion(t, unchanged), false},
		"a shorter label":  {testQuestion(t, func(b []byte) { refuse(b); b[QuestionAt-1] = 47 }), false},
		"cut":              {testQuestion(t, refuse)[:QuestionAt+MarkedSize-1], false},
		"nothing":          {nil, false},
		"less than flags":  {testQuestion(t, refuse)[:2], false},
		"a marked payload": {testQuestion(t, refuse)[QuestionAt:], false},
	} {
		header, ok := Questioned(test.b)
		if _, genuine := ParseMarked(header, testMark, testKey); ok != test.want || genuine != test.want {
			t.Errorf("%s: %v, %v", name, ok, genuine)
		}
	}
}

// On a link a question and its answer are told apart by what precedes the header, in
// whatever they travel.
func TestQuestionsAreSeen(t *testing.T) {
	stats := newStats(t, testSubject())
	inside := stats.Link("wg0", evidence.RoleWireGuard)
	outside := stats.Link("eth0", evidence.RoleOutside)
	for _, message := range [][]byte{testQuestion(t, unchanged), testQuestion(t, refuse)} {
		frame := tx(podPacket(t, message))
		frame.Header = RawIP
		inside.Add(frame)
		outside.Add(tx(build(t, eth(layers.EthernetTypeIPv4), raw(podPacket(t, message)))))
	}
	answers := 0
	for _, m := range stats.Messages() {
		if seen := m.ClassSeen; seen != nil {
			from, to := 0, 1
			if seen.Answer {
				answers++
				from, to = 1, 0
			}
			if seen.Class != evidence.ClassDNS || seen.Count != 1 || seen.Source != from || seen.Target != to {
				t.Errorf("%+v", seen)
			}
		}
	}
	clear := pick(t, stats.Messages(), leakOf)
	if answers != 1 || len(clear) != 2 || clear[0].Answer || !clear[1].Answer || clear[1].Class != evidence.ClassDNS ||
		clear[1].Source != 1 {
		t.Errorf("%d answers; %+v", answers, clear)
	}
}
