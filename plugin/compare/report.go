// Package compare says what became better or worse between two reports of
// verifications: by ordered pair of nodes, and by the code of a check. It reads
// the document that `-o json` prints, and nothing else: a recording is judged
// and reported before. It judges nothing itself, and touches no file.
package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-wg/kubectl-wg/plugin/report"
	"github.com/kubectl-wg/kubectl-wg/plugin/verdict"
)

// Report is what a comparison reads of a report, see docs/json.md.
type Report struct {
	APIVersion string  `json:"apiVersion"`
	Kind       string  `json:"kind"`
	Verdict    string  `json:"verdict"`
	Headline   string  `json:"headline"`
	Cluster    cluster `json:"cluster"`
	Run        run     `json:"run"`
	Profile    struct {
		Title string `json:"title"`
	} `json:"profile"`
	Totals   totals    `json:"totals"`
	Pairs    []pair    `json:"pairs"`
	Findings []finding `json:"findings"`
	Error    *struct {
		Message string `json:"message"`
	} `json:"error"`
}

type cluster struct {
	Server string `json:"server"`
}

type run struct {
	ID       string              `json:"id"`
	Started  string              `json:"started"`
	Version  string              `json:"version"`
	Families []int               `json:"families"`
	Nodes    []string            `json:"nodes"`
	Asked    map[string][]string `json:"asked"` // nil: all pairs
}

type totals struct {
	Pairs    int            `json:"pairs"`
	Complete bool           `json:"complete"`
	Statuses map[status]int `json:"statuses"`
	Checks   []checkTotal   `json:"checks"`
}

type checkTotal struct {
	Code     string         `json:"code"`
	Statuses map[status]int `json:"statuses"`
}

type pair struct {
	verdict.Subject
	Status status                   `json:"status"`
	Steps  map[verdict.Proof]status `json:"steps"`
}

type finding struct {
	Code     string          `json:"code"`
	Title    string          `json:"title"`
	Status   status          `json:"status"`
	Subject  verdict.Subject `json:"subject"`
	Text     string          `json:"text"`
	Advice   bool            `json:"advice"`
	CausedBy *verdict.Origin `json:"causedBy"`
}

// Bounds of what is read. A report on 1,000 nodes has some megabytes: above
// verdict.Detailed pairs it lists a bounded number of them.
const (
	maxSize  = 256 << 20
	maxNodes = 5000
)

// ErrReport is wrapped by every error of a report that cannot be compared.
var ErrReport = errors.New("not a report of a verification")

// Read reads a report as `-o json` prints it.
func Read(from io.Reader) (*Report, error) {
	limited := &io.LimitedReader{R: from, N: maxSize + 1}
	var r Report
	if err := json.NewDecoder(limited).Decode(&r); err != nil {
		if limited.N <= 0 {
			return nil, fmt.Errorf("%w: it is larger than %d MiB", ErrReport, maxSize>>20)
		}
		return nil, fmt.Errorf("%w: %w", ErrReport, err)
	}
	return &r, r.check()
}

// check returns why the report cannot be compared.
func (r *Report) check() error {
	switch {
	case r.Kind != report.Kind:
		return fmt.Errorf("%w: its kind is %.40q", ErrReport, r.Kind)
	case r.APIVersion != report.APIVersion && strings.HasPrefix(r.APIVersion, "kubectl-wg.io/"):
		return &otherVersion{r.APIVersion}
	case r.APIVersion != report.APIVersion:
		return fmt.Errorf("%w: its apiVersion is %.40q", ErrReport, r.APIVersion)
	case r.Error != nil:
		return fmt.Errorf("%w: the run came to no verdict: %s", ErrReport, r.Error.Message)
	case verdictRanks[r.Verdict] == 0:
		return fmt.Errorf("%w: its verdict is %.40q", ErrReport, r.Verdict)
	case len(r.Run.Nodes) > maxNodes:
		return fmt.Errorf("%w: it has more than %d nodes", ErrReport, maxNodes)
	}
	return nil
}

// otherVersion is the error for a report of another version of the document.
type otherVersion struct{ version string }

func (e *otherVersion) Error() string {
	return fmt.Sprintf("a report with apiVersion %.40q cannot be compared", e.version)
}

func (e *otherVersion) Unwrap() error { return ErrReport }

// Hint names what can be compared whatever the version.
func (e *otherVersion) Hint() string {
	return "compare the recordings of the runs, which every later version reads"
}
