package report

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The XML is what docs/junit.xsd allows. Where there is no xmllint, the test below
// holds what consumers trip over.
func TestJUnitSchema(t *testing.T) {
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("needs xmllint")
	}
	for name, text := range rendered(t, "junit") {
		file := filepath.Join(t.TempDir(), name+".xml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(lint, "--noout", "--schema", "../../docs/junit.xsd", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

// Counts are those of the cases, times have no zone, every element is in its place,
// and no case has two outcomes.
func TestJUnitStructure(t *testing.T) {
	time := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$`)
	for name, text := range rendered(t, "junit") {
		order(t, name, text)
		var suites junitSuites
		if err := xml.Unmarshal([]byte(text), &suites); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(suites.Suites) != 2 {
			t.Errorf("%s: %d suites", name, len(suites.Suites))
		}
		for i, s := range suites.Suites {
			var tests, failures, errors, skipped int
			for _, c := range s.Cases {
				outcomes := 0
				for _, outcome := range []struct {
					is  *junitOutcome
					sum *int
				}{{c.Failure, &failures}, {c.Error, &errors}, {c.Skipped, &skipped}} {
					if outcome.is != nil {
						outcomes++
						*outcome.sum++
					}
				}
				if tests++; outcomes > 1 || c.Name == "" || c.Class == "" || c.Name != strings.TrimSpace(c.Name) {
					t.Errorf("%s: case %+v", name, c)
				}
			}
			if s.ID != i || s.Tests != tests || s.Failures != failures || s.Errors != errors || s.Skipped != skipped {
				t.Errorf("%s: suite %s counts %d %d %d %d", name, s.Name, s.Tests, s.Failures, s.Errors, s.Skipped)
			}
			if !time.MatchString(s.Timestamp) {
				t.Errorf("%s: timestamp %q", name, s.Timestamp)
			}
		}
	}
}

// order holds that elements stand in the order of the schema.
func order(t *testing.T, name, text string) {
	t.Helper()
	places := map[string]int{"properties": 1, "testcase": 2, "system-out": 3, "system-err": 4}
	decoder := xml.NewDecoder(strings.NewReader(text))
	last := 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return // the end, or what Unmarshal reports
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if start.Name.Local == "testsuite" {
			last = 0
		}
		if place := places[start.Name.Local]; place > 0 {
			if place < last {
				t.Errorf("%s: <%s> comes too late", name, start.Name.Local)
			}
			last = place
		}
	}
}

// What is a failure, an error, skipped or fine to JUnit.
func TestJUnitOutcomes(t *testing.T) {
	all := rendered(t, "junit")
	for name, want := range map[string][4]bool{ // failures, errors: of the checks, of the directions
		"pass":         {},
		"pass-100":     {},
		"dual-stack":   {},
		"leak":         {true, false, true, false},
		"broken-pair":  {true, false, true, false},
		"inconclusive": {false, true, false, true},
	} {
		var suites junitSuites
		if err := xml.Unmarshal([]byte(all[name]), &suites); err != nil {
			t.Fatal(err)
		}
		checks, directions := suites.Suites[0], suites.Suites[1]
		got := [4]bool{checks.Failures > 0, checks.Errors > 0, directions.Failures > 0, directions.Errors > 0}
		if name != "inconclusive" {
			got[1], got[3] = false, false // beside a failure something may be inconclusive
			if !want[0] && checks.Errors+directions.Errors > 0 {
				t.Errorf("%s: an error", name)
			}
		}
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if !strings.Contains(all["leak"], `type="plaintext"`) || !strings.Contains(all["pass-100"], "9,900 more directions") {
		t.Error("the kind of a failure or the number of directions is missing")
	}
}
