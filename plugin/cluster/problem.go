package cluster

import (
	"context"
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-wg/kubectl-wg/probe/evidence"
)

// problem turns an error of the API into evidence.
func problem(err error, what, on string) evidence.Problem {
	class := evidence.ProblemInternal
	switch {
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		class = evidence.ProblemPermission
	case apierrors.IsNotFound(err):
		class = evidence.ProblemMissing
	case errors.Is(err, context.DeadlineExceeded), passing(err):
		class = evidence.ProblemTimeout
	}
	return evidence.Problem{Class: class, What: what, On: on, Text: Line(err.Error())}
}

// Line cuts a text to one line of bounded length, without secrets: it is shown,
// and recorded.
func Line(text string) string {
	const longest = 16 << 10 // of what is looked at
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "")
	}
	text = Redact(strings.Join(strings.Fields(text), " "))
	const most = 600
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
