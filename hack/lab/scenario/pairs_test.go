package scenario

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestPairs(t *testing.T) {
	all := allPairs()
	t.Logf("%d pairs", len(all))
	names := map[string]bool{}
	for _, s := range all {
		if names[s.Name] {
			t.Errorf("%s is there twice", s.Name)
		}
		names[s.Name] = true
		if len(s.Causes) != 2 || s.Causes[0] == s.Causes[1] || s.Want.Verdict != "FAIL" || s.Unmendable == "" {
			t.Errorf("%s: %v, want %v", s.Name, s.Causes, s.Want)
		}
	}
	for _, name := range []string{"udp-blocked+stale-flannel-route", "stale-flannel-route+udp-blocked"} {
		if names[name] {
			names["two that stand together"] = true
		}
	}
	if !names["two that stand together"] {
		t.Error("a stale route and a blocked port are no pair")
	}
	for name := range names {
		if strings.Contains(name, "device-") && strings.Contains(name, "-key") {
			t.Errorf("%s: the device takes the key along", name)
		}
	}
}

// A seed chooses the same pairs each time, another seed others.
func TestSeed(t *testing.T) {
	draw := func(seed uint64) (names []string) {
		drawn, err := Pairs(30, seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range drawn {
			names = append(names, s.Name)
		}
		return names
	}
	if len(draw(1)) != 30 || !slices.Equal(draw(1), draw(1)) || slices.Equal(draw(1), draw(2)) {
		t.Errorf("%v, %v, %v", draw(1), draw(1), draw(2))
	}
	if _, err := Pairs(1e6, 1); err == nil {
		t.Error("there are not so many")
	}
}

// Each reason to leave a pair out leaves one out.
func TestExclusions(t *testing.T) {
	for _, e := range exclusions {
		left := false
		for _, a := range sabotages() {
			for _, b := range sabotages() {
				left = left || apart(a, b) == e.why
			}
		}
		if !left {
			t.Errorf("%q leaves nothing out", e.why)
		}
	}
}

// decode reads a report as the lab does.
func decode(t *testing.T, text string) (r report) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRootCauses(t *testing.T) {
	const findings = `"findings":[{"code":"WG0401","status":"fail"},{"code":"WG0401","status":"fail"},
		{"code":"WG0501","status":"fail","causedBy":"WG0401"},
		{"code":"WG0503","status":"fail","causedBy":{"code":"WG0401","node":"node-1"}},
		{"code":"WG0701","status":"warn"},{"code":"WG0502","status":"fail"}]}`
	listed := decode(t, `{"causes":[{"code":"WG0401"}],`+findings)
	found := decode(t, "{"+findings)
	if got := listed.roots(); !slices.Equal(got, []string{"WG0401"}) {
		t.Errorf("the report's own list: %v", got)
	}
	if got := found.roots(); !slices.Equal(got, []string{"WG0401", "WG0502"}) {
		t.Errorf("from the findings: %v", got)
	}
	both := Scenario{Causes: []string{"WG0401", "WG0502"}}
	if both.examine(found) != nil || both.examine(listed) == nil {
		t.Error("both causes are asked for")
	}
}
