package verdict

import (
	"fmt"
	"time"
)

// Acceptance is what a policy makes of a result. The verdict stays as it is; only
// the exit code follows the policy, see Result.Exit.
type Acceptance struct {
	Policy string `json:"name"`   // as the policy calls itself
	SHA256 string `json:"sha256"` // of the policy's file, hex
	// Status is Pass if the result is accepted, else the gravest of what is not met.
	Status Status   `json:"status"`
	Unmet  []Unmet  `json:"unmet"`
	Waived []Waived `json:"waived"`
	// Void are waivers that excuse nothing.
	Void []Void `json:"void,omitempty"`
	// Warnings are those that no waiver excuses.
	Warnings int `json:"warnings"`
}

// Unmet is a requirement of a policy that is not met, or not known to be.
type Unmet struct {
	Requirement string    `json:"requirement"`    // a field of the policy, or "verdict"
	Code        string    `json:"code,omitempty"` // of the check
	Status      Status    `json:"status"`         // Fail or Inconclusive
	Text        string    `json:"text"`           // of the first subject
	Count       int       `json:"count"`          // of subjects
	Subjects    []Subject `json:"subjects"`       // a bounded number
}

// Waiver is an exception from a policy.
type Waiver struct {
	Code        string    `json:"code,omitempty"`        // of a check
	Requirement string    `json:"requirement,omitempty"` // or a field of the policy
	Node        string    `json:"node,omitempty"`
	Peer        string    `json:"peer,omitempty"` // with Node: what Node sends to Peer
	Reason      string    `json:"reason"`
	Owner       string    `json:"owner"`
	Expires     time.Time `json:"expires"` // it excuses nothing from then on
}

// What names what a waiver is for, in one line.
func (w *Waiver) What() string {
	text := w.Code + w.Requirement
	switch {
	case w.Peer != "":
		return fmt.Sprintf("%s of %s → %s", text, w.Node, w.Peer)
	case w.Node != "":
		return fmt.Sprintf("%s of %s", text, w.Node)
	}
	return text
}

// Waived is a waiver with what it excuses.
type Waived struct {
	Waiver       Waiver        `json:"waiver"`
	Status       Status        `json:"status"` // the gravest of what it excuses
	Text         string        `json:"text"`   // of the first
	Count        int           `json:"count"`
	Subjects     []Subject     `json:"subjects"` // a bounded number
	Consequences []Consequence `json:"consequences,omitempty"`
}

// Void is a waiver that excuses nothing, and why.
type Void struct {
	Waiver Waiver `json:"waiver"`
	Why    string `json:"why"`
}

// Accepted reports whether the policy accepts the result.
func (a *Acceptance) Accepted() bool { return a.Status == Pass }

// Excused counts what waivers excuse.
func (a *Acceptance) Excused() (sum int) {
	for i := range a.Waived {
		sum += a.Waived[i].Count
	}
	return sum
}

// Leaked reports whether a packet was seen in clear, or certainly leaves in clear.
// No policy accepts that.
func (r *Result) Leaked() bool { return r.Kind() == Plaintext }

// exit is the exit code under a policy, and why it is that.
func (r *Result) exit(a *Acceptance, failOnWarn bool) (code int, reason string) {
	switch {
	case r.Leaked():
		return 1, ""
	case a.Status == Fail:
		code = 1
	case a.Status != Pass:
		code = 3
	case failOnWarn && a.Warnings > 0:
		return 1, failedOnWarnings(a.Warnings)
	}
	switch {
	case code == r.ExitCode():
		return code, ""
	case code == 0:
		return code, fmt.Sprintf("policy %s, waived: %d", a.Policy, a.Excused())
	}
	return code, fmt.Sprintf("policy %s, not met: %d", a.Policy, len(a.Unmet))
}

func failedOnWarnings(count int) string { return fmt.Sprintf("--fail-on warn, warnings: %d", count) }
