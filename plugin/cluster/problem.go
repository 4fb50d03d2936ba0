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
	case errors.Is(err, context.DeadlineExceeded), transient(err):
		class = evidence.ProblemTimeout
	}
	return evidence.Problem{Class: class, What: what, On: on, Text: Line(err.Error())}
}

// Line makes a text that is shown and recorded one line of at most 600 bytes,
// without secrets.
func Line(text string) string {
	const (
		maxRead = 16 << 10 // so that a long text costs no time
		maxLine = 600
	)
	if len(text) > maxRead {
		text = strings.ToValidUTF8(text[:maxRead], "")
	}
	text = Redact(strings.Join(strings.Fields(text), " "))
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "…"
	}
	return text
}
