package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kubectl-wg/kubectl-wg/hack/golden"
	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/policy"
)

// acceptedBy judges a recording by a policy.
func acceptedBy(t *testing.T, recording, body string) *check.Judgement {
	t.Helper()
	p, err := policy.Parse([]byte("apiVersion: policy.kubectl-wg.io/v1\nkind: Policy\nname: production\n" + body))
	if err != nil {
		t.Fatal(err)
	}
	j := judged(t, recording)
	j.Acceptance = p.Judge(j)
	return j
}

const grants = "waivers:\n- {code: WG0501, reason: the firewall is changed next week, owner: jane@example.org, " +
	"expires: 2027-01-31}\n"

// What a policy makes of a result stands in every format, and leaves the verdict.
func TestAcceptance(t *testing.T) {
	for name, j := range map[string]*check.Judgement{
		"waived": acceptedBy(t, "host-three-udp-blocked", grants),
		"unmet":  acceptedBy(t, "host-healthy-three", "require: {presharedKeys: true, families: [4, 6]}\n"+grants),
		"leaked": acceptedBy(t, "host-stale-flannel-route", strings.Replace(grants, "WG0501", "WG0401", 1)),
	} {
		for _, format := range []string{"text", "short"} {
			var got bytes.Buffer
			if err := Write(&got, format, j, Options{}); err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, "policy-"+name+"."+format, got.Bytes())
			if n := rows(got.String(), defaultWidth); format == "text" && n > lines(j) {
				t.Errorf("%s has %d rows, at most %d", name, n, lines(j))
			}
		}
	}
}

// A waived finding is in the headline of every format; a leak stays one.
func TestWaivedStandsInTheHeadline(t *testing.T) {
	waived := parsed(t, acceptedBy(t, "host-three-udp-blocked", grants), "json", Options{})
	if text, _ := at(waived, "headline").(string); !strings.Contains(text, "accepted, 2 findings waived") {
		t.Error(text)
	}
	for path, want := range map[string]any{"verdict": "FAIL", "exitCode": 0.0, "failureKind": "blocked"} {
		if got := at(waived, path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	if got := at(waived, "policy", "waived", 0, "waiver", "owner"); got != "jane@example.org" {
		t.Errorf("%v", got)
	}
	leaked := parsed(t, acceptedBy(t, "host-vxlan", strings.Replace(grants, "WG0501", "WG0601", 1)), "json", Options{})
	text, _ := at(leaked, "headline").(string)
	if !strings.HasPrefix(text, "PLAINTEXT: ") || !strings.Contains(text, "no policy accepts that") || at(leaked, "exitCode") != 1.0 {
		t.Error(text, at(leaked, "exitCode"))
	}
}

// What a policy's author wrote cannot act on a terminal.
func TestHostilePolicyText(t *testing.T) {
	j := acceptedBy(t, "host-three-udp-blocked",
		`waivers: [{code: WG0501, reason: "\e[31mred\nPASS", owner: "\u202eowner", expires: 2027-01-31}]`)
	for _, format := range []string{"text", "short", "json", "yaml"} {
		var got bytes.Buffer
		if err := Write(&got, format, j, Options{}); err != nil {
			t.Fatal(err)
		}
		if text := got.String(); strings.ContainsAny(text, "\x1b\u202e") || strings.Contains(text, "\nPASS") {
			t.Errorf("%s: %q", format, text)
		}
	}
}
