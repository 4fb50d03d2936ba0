package command

import (
	"strings"
	"testing"
)

func TestPerfUsage(t *testing.T) {
	for line, test := range map[string]struct {
		code int
		text string
	}{
		"perf a b":                                {exitUsage, "hint: add --yes"},
		"perf a --yes":                            {exitUsage, "two nodes are to be named or none, not 1"},
		"perf a a --yes":                          {exitUsage, "the two nodes are the same"},
		"perf a b --yes --runs 0":                 {exitUsage, "--runs 0 is not between 1 and 20"},
		"perf a b --yes --duration 1h":            {exitUsage, "is not between 500ms and 15s"},
		"perf a b --yes --streams 1000":           {exitUsage, "is not between 1 and 64"},
		"perf a b --yes --family 5":               {exitUsage, "one of: 4, 6"},
		"perf a b --yes --max-bytes x":            {exitUsage, "e.g. 500M or 2Gi"},
		"perf a b --yes --max-bytes -1":           {exitUsage, "e.g. 500M or 2Gi"},
		"perf a b --yes --udp-rate 0":             {exitUsage, "e.g. 500M or 2Gi"},
		"perf a b --yes -o xml":                   {exitUsage, "one of: text, json, yaml"},
		"perf --nodes a,b --yes":                  {exitUsage, "the nodes of perf are its arguments"},
		"perf a b --yes --kubeconfig /nowhere/at": {exitCouldNotRun, "no kubeconfig was found"},
		"explain WG0703":                          {exitVerified, ""},
		"explain WG07":                            {exitVerified, ""},
	} {
		code, stdout, stderr := main(t, strings.Fields(line)...)
		if code != test.code || !strings.Contains(stderr, test.text) {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
		if code == exitVerified && !strings.Contains(stdout, "WG0703") {
			t.Errorf("%s: %s", line, stdout)
		}
	}
}
