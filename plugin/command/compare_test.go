package command

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Recordings and reports of them, compressed or not, compare alike.
func TestCompare(t *testing.T) {
	const healthy, leaking = recordings + "host-healthy-wireguard.ndjson", recordings + "host-stale-flannel-route.ndjson"
	folder := t.TempDir()
	_, document, _ := main(t, "replay", "-o", "json", leaking)
	report := filepath.Join(folder, "after.json")
	write(t, report, []byte(document))
	var packed bytes.Buffer
	packer := gzip.NewWriter(&packed)
	packer.Write([]byte(document))
	packer.Close()
	compressed := filepath.Join(folder, "after.json.gz")
	write(t, compressed, packed.Bytes())

	code, want, _ := main(t, "compare", healthy, leaking)
	if code != exitNotVerified || !strings.Contains(want, "WG0401") {
		t.Fatalf("exit %d:\n%s", code, want)
	}
	for _, after := range []string{report, compressed} {
		code, got, stderr := main(t, "compare", healthy, after)
		if code != exitNotVerified || got != strings.ReplaceAll(want, leaking, after) {
			t.Errorf("%s: exit %d, stderr %s\n%s", after, code, stderr, got)
		}
	}
	for _, format := range dataFormats {
		if code, got, _ := main(t, "compare", "-o", format, report, healthy); code != exitVerified || got == "" {
			t.Errorf("-o %s: exit %d\n%s", format, code, got)
		}
	}
}

func TestCompareUsage(t *testing.T) {
	const healthy = recordings + "host-healthy-wireguard.ndjson"
	for line, test := range map[string]struct {
		code int
		text string
	}{
		"compare":                                    {exitUsage, "two files are to be named, not 0"},
		"compare a":                                  {exitUsage, "not 1"},
		"compare - -":                                {exitUsage, "only one of the files can be stdin"},
		"compare -o xml a b":                         {exitUsage, "one of: text, json, yaml"},
		"compare --fail-on never a b":                {exitUsage, "one of: fail, warn"},
		"compare /nowhere " + healthy:                {exitUsage, "hint: a recording of"},
		"compare compare.go " + healthy:              {exitCouldNotRun, "reading compare.go: not a report"},
		"compare " + healthy + " -":                  {exitCouldNotRun, "reading -: not a report"},
		"compare -o json " + healthy + " " + healthy: {exitVerified, ""},
	} {
		code, _, stderr := main(t, strings.Fields(line)...)
		if code != test.code || !strings.Contains(stderr, test.text) {
			t.Errorf("%s: exit %d, %s", line, code, stderr)
		}
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
