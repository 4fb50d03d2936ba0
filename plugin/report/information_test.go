package report

import (
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// advising is a run that passes and has advice.
func advising(t *testing.T) *check.Judgement { return judged(t, "host-inside-wireguard") }

// Advice is one line of a PASS, and all of it with details. Who reads another verdict is
// not shown any without.
func TestInformation(t *testing.T) {
	j := advising(t)
	for _, test := range []struct {
		name    string
		options Options
		verdict verdict.Verdict
		want    string
	}{
		{"pass", Options{}, verdict.Passed, "  Advice    WG0802 who encrypts (--details)\n"},
		{"fail", Options{}, verdict.Failed, ""},
		{"details of a fail", Options{Details: true, Width: 120}, verdict.Failed,
			"  Advice    i WG0802 pod traffic is encrypted twice: what flannel-wg of node-1 sends goes into wg0, another WireGuard.\n" +
				"            Fix: None needed. One of the two is enough against whoever reads the network; the second costs processor\n" +
				"            time and 60 to 80 bytes of every packet.\n"},
	} {
		j.Verdict = test.verdict
		text := newText(j, test.options, fewer)
		if text.information(); strings.TrimLeft(text.String(), "\n") != test.want {
			t.Errorf("%s: %q", test.name, text.String())
		}
	}
}

// Where the topics do not fit one line there are the codes.
func TestTopics(t *testing.T) {
	text := newText(advising(t), Options{}, full)
	one := verdict.Finding{Code: "WG0802", Failed: "who encrypts"}
	if got := text.topics([]verdict.Finding{one, {Code: "WG0804", Failed: "FIPS mode"}}); got != "WG0802 who encrypts, WG0804 FIPS mode (--details)" {
		t.Error(got)
	}
	if got := text.topics([]verdict.Finding{one, one, one, one}); got != "WG0802, WG0802, WG0802, WG0802 (--details)" {
		t.Error(got)
	}
}

// The document has advice by itself, and marks its finding.
func TestAdviceInDocument(t *testing.T) {
	document := parsed(t, advising(t), "json", Options{})
	for _, test := range []struct {
		path []any
		want string
	}{
		{[]any{"advice", 0, "code"}, "WG0802"}, {[]any{"advice", 0, "about"}, "who encrypts"},
		{[]any{"advice", 0, "remedy", "title"}, "None needed"}, {[]any{"verdict"}, "PASS"},
	} {
		if got := at(document, test.path...); got != test.want {
			t.Errorf("%v: %v", test.path, got)
		}
	}
	if silent := parsed(t, judged(t, "host-healthy-three"), "json", Options{}); at(silent, "advice") != nil {
		t.Errorf("%v", at(silent, "advice"))
	}
}

// A PASS with advice, and with all else that there can be, fits one screen.
func TestAdviceFitsAScreen(t *testing.T) {
	if n := rows(fit(advising(t), Options{}), defaultWidth); n > screen {
		t.Errorf("%d rows", n)
	}
}
