package report

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	omMeta   = regexp.MustCompile(`^# (TYPE|UNIT|HELP) ([a-z_]+) (.+)$`)
	omSample = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? (\S+)$`)
	omLabel  = regexp.MustCompile(`^([a-z_0-9]+)="((?:[^"\\]|\\["\\n])*)"(?:,|$)`)
	// omSuffix is what a family's samples have behind its name.
	omSuffix = map[string]string{"gauge": "", "info": "_info", "stateset": ""}
)

// exposition checks a text against OpenMetrics' rules, as far as they concern what
// is written: families in one piece with type, unit and help before their samples,
// units in their names, labels, no sample twice, and the end.
func exposition(text string) error {
	if !strings.HasSuffix(text, "\n# EOF\n") || strings.Count(text, "# EOF") != 1 {
		return fmt.Errorf("it does not end with # EOF")
	}
	var family, kind string
	seen, known := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(strings.TrimSuffix(text, "# EOF\n")) {
		line = strings.TrimSuffix(line, "\n")
		if meta := omMeta.FindStringSubmatch(line); meta != nil {
			switch {
			case meta[1] == "TYPE" && known[meta[2]]:
				return fmt.Errorf("%q: the family comes twice", line)
			case meta[1] == "TYPE":
				family, kind = meta[2], meta[3]
				known[family] = true
			case meta[2] != family:
				return fmt.Errorf("%q: it is of another family", line)
			case meta[1] == "UNIT" && !strings.HasSuffix(family, "_"+meta[3]):
				return fmt.Errorf("%q: the name has another unit", line)
			}
			continue
		}
		sample := omSample.FindStringSubmatch(line)
		suffix, ok := omSuffix[kind]
		if sample == nil || !ok || sample[1] != family+suffix {
			return fmt.Errorf("%q: it is no sample of %s, a %s", line, family, kind)
		}
		if identity, _, _ := strings.Cut(line, "} "); seen[identity] {
			return fmt.Errorf("%q: it comes twice", line)
		} else {
			seen[identity] = true
		}
		names, err := labelNames(sample[2])
		if err != nil || kind == "stateset" && !slices.Contains(names, family) {
			return fmt.Errorf("%q: labels %q: %w", line, names, err)
		}
		value, err := strconv.ParseFloat(sample[3], 64)
		if err != nil || kind == "info" && value != 1 || kind == "stateset" && value != 0 && value != 1 {
			return fmt.Errorf("%q: value %v: %w", line, value, err)
		}
	}
	return nil
}

func labelNames(text string) (names []string, err error) {
	for text != "" {
		one := omLabel.FindStringSubmatch(text)
		if one == nil || slices.Contains(names, one[1]) {
			return names, fmt.Errorf("%q is no label", text)
		}
		names = append(names, one[1])
		text = text[len(one[0]):]
	}
	return names, nil
}

func TestOpenMetrics(t *testing.T) {
	for name, text := range rendered(t, "openmetrics") {
		if err := exposition(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		verdict := string(verdicts(t)[name].Verdict)
		want := fmt.Sprintf(`kubectl_wg_verify_verdict{kubectl_wg_verify_verdict="%s"} 1`, verdict)
		if strings.Count(text, want) != 1 || strings.Count(text, `_verdict="`) != 3 {
			t.Errorf("%s: %s is missing", name, want)
		}
	}
}

// The rules notice what they are there for.
func TestExposition(t *testing.T) {
	for text, want := range map[string]string{
		"# TYPE a gauge\na 1\n":                         "EOF",
		"# TYPE a gauge\nb 1\n# EOF\n":                  "no sample",
		"# TYPE a gauge\na 1\na 1\n# EOF\n":             "twice",
		"# TYPE a gauge\na 1\n# TYPE a gauge\n# EOF\n":  "twice",
		"# TYPE a gauge\n# UNIT a bytes\na 1\n# EOF\n":  "unit",
		"# TYPE a gauge\na{b=\"c\\d\"} 1\n# EOF\n":      "no label",
		"# TYPE a stateset\na{b=\"c\"} 1\n# EOF\n":      "labels",
		"# TYPE a info\na_info 2\n# EOF\n":              "value",
		"# TYPE a gauge\n# HELP b c\na 1\n# EOF\n":      "another family",
		"# TYPE a gauge\na{b=\"1\",b=\"2\"} 1\n# EOF\n": "no label",
		"# TYPE a gauge\na one\n# EOF\n":                "value",
		"# TYPE a gauge\na{b=\"x\"y\"} 1\n# EOF\n":      "no label",
	} {
		if err := exposition(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestSnake(t *testing.T) {
	for name, want := range map[string]string{
		"cluster": "cluster", "serverVersion": "server_version", "clusterUID": "cluster_uid", "recordingSHA256": "recording_sha256",
	} {
		if got := snake(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
