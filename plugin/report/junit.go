package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/check"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// The elements of JUnit's XML as Ant's JUnitReport and those who read it know them,
// see docs/junit.xsd.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		ID         int             `xml:"id,attr"`
		Name       string          `xml:"name,attr"`
		Package    string          `xml:"package,attr"`
		Hostname   string          `xml:"hostname,attr"`
		Timestamp  string          `xml:"timestamp,attr"` // UTC, no zone may be named
		Time       float64         `xml:"time,attr"`      // seconds
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
		Out        string          `xml:"system-out"`
		Err        string          `xml:"system-err"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Time    float64       `xml:"time,attr"`
		Skipped *junitOutcome `xml:"skipped"`
		Error   *junitOutcome `xml:"error"`
		Failure *junitOutcome `xml:"failure"`
	}
	junitOutcome struct {
		Message string `xml:"message,attr,omitempty"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a suite of the checks and one of the directions between nodes,
// those of them that the report lists. What failed is a failure, what is
// inconclusive an error: no pipeline that gates on either lets it pass.
func writeJUnit(w io.Writer, j *check.Judgement, options Options) error {
	d := newDocument(j, options)
	checks := newSuite(&d, "checks")
	for _, total := range d.Totals.Checks {
		checks.add(checkCase(j, &d, total.Code))
	}
	checks.Out = warningLines(&d)
	directions := newSuite(&d, "directions")
	for i := range d.Pairs {
		directions.add(directionCase(j, &d, &d.Pairs[i]))
	}
	if left := d.Totals.Pairs - len(d.Pairs); left > 0 {
		directions.Out = fmt.Sprintf("%s more directions are in the totals only", grouped(left))
	}
	suites := junitSuites{Suites: []junitSuite{checks, directions}}
	for i := range suites.Suites {
		suites.Suites[i].ID = i
	}
	return printXML(w, &suites)
}

// writeJUnitFailure writes one test with an error: a run that came to no verdict is
// not one without tests.
func writeJUnitFailure(w io.Writer, f *failure) error {
	d := document{Verdict: verdict.Verdict(f.Verdict), ExitCode: f.ExitCode, Headline: f.Error.Message}
	suite := newSuite(&d, "checks")
	one := junitCase{Name: "kubectl wg verify", Class: "kubectl-wg.checks"}
	one.outcome(verdict.Inconclusive, verdict.Unproven, f.Error.Message, f.Error.Hint)
	suite.add(one)
	return printXML(w, &junitSuites{Suites: []junitSuite{suite}})
}

func newSuite(d *document, name string) junitSuite {
	suite := junitSuite{
		Name: name, Package: "kubectl-wg", Hostname: "localhost", Time: d.Run.Seconds,
		Timestamp: strings.TrimSuffix(d.Run.Started, "Z"),
	}
	if suite.Timestamp == "" {
		suite.Timestamp = "1970-01-01T00:00:00" // a schema requires one
	}
	suite.Properties = append(suite.Properties,
		junitProperty{"verdict", string(d.Verdict)},
		junitProperty{"headline", clean(d.Headline)},
		junitProperty{"exitCode", fmt.Sprint(d.ExitCode)},
	)
	for _, fact := range d.facts() {
		suite.Properties = append(suite.Properties, junitProperty{fact.name, clean(fact.value)})
	}
	return suite
}

func (s *junitSuite) add(one junitCase) {
	s.Tests++
	switch {
	case one.Failure != nil:
		s.Failures++
	case one.Error != nil:
		s.Errors++
	case one.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, one)
}

// outcome makes a case what a status is to JUnit. A warning is not a failure; it
// stands in the suite's output.
func (c *junitCase) outcome(status verdict.Status, kind verdict.Kind, message, text string) {
	outcome := &junitOutcome{Message: clean(message), Type: cmp.Or(string(kind), "consequence"), Text: Printable(text)}
	switch status {
	case verdict.Fail:
		c.Failure = outcome
	case verdict.Inconclusive:
		c.Error = outcome
	case verdict.NotApplicable:
		c.Skipped = &junitOutcome{}
	}
}

// checkCase is the case of one check over all that it was asked about.
func checkCase(j *check.Judgement, d *document, code string) junitCase {
	findings, status := d.gravest(code)
	one := junitCase{Name: code + " " + titleOf(code), Class: "kubectl-wg.checks." + code}
	if len(findings) == 0 {
		one.outcome(status, "", "", "")
		return one
	}
	first := &findings[0]
	text := ""
	for i := range findings {
		text += findings[i].Text + "\n"
	}
	for i := range d.Causes {
		if c := &d.Causes[i]; c.Code == code && c.Remedy != nil {
			text += remedyText(c)
		}
	}
	message := failed(first)
	if where := newNames(j).ofFindings(findings, d.Totals.Of(code).Statuses[status]); where != "" {
		message += " (" + where + ")"
	}
	one.outcome(status, first.Kind, message, text)
	return one
}

// remedyText is what fixes a cause, in lines.
func remedyText(c *cause) string {
	text := "Fix: " + c.Remedy.Title + "\n"
	for _, step := range joined(c.Remedy.Steps) {
		text += strings.Join(step.on, ", ") + ": " + step.command + "\n"
	}
	return text + "Then: " + c.Verify + "\n"
}

// directionCase is the case of one direction: the steps of its proof.
func directionCase(j *check.Judgement, d *document, p *pair) junitCase {
	one := junitCase{
		Name: clean(newNames(j).one(p.Subject)), Class: "kubectl-wg.directions." + clean(plain(p.Subject)),
	}
	text, message := "", ""
	for _, proof := range verdict.Proofs {
		status := p.Steps[proof.Step]
		text += fmt.Sprintf("%s %s: %s. %s\n", proof.Step, proof.Title, status, p.Notes[proof.Step])
		if status == p.Status && message == "" {
			message = fmt.Sprintf("%s %s: %s", proof.Step, proof.Title, status)
		}
	}
	one.outcome(p.Status, d.kindOf(p), message, text)
	return one
}

// warningLines are the warnings of a document, a line each.
func warningLines(d *document) (text string) {
	for i := range d.Findings {
		if f := &d.Findings[i]; f.Status == verdict.Warn {
			text += "warning: " + f.Code + " " + clean(f.Text) + "\n"
		}
	}
	return text
}

func printXML(w io.Writer, suites *junitSuites) error {
	text, err := xml.MarshalIndent(suites, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the report as junit: %w", err)
	}
	_, err = io.WriteString(w, xml.Header+Printable(string(text))+"\n")
	return err
}
